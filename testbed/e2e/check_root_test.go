//go:build testbed

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestCheckLinger: without lingering tunnels end with the last session, and check says so.
func TestCheckLinger(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	d.alias("server", s)
	d.write("here", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+fmt.Sprint(testbed.FreePort(t))+" 127.0.0.1:9\n")
	d.wants(d.check(), "", tunnelfile.SubjectLinger, tunnelfile.FindingOK, "outlive a logout", "")
	// A session of the person's, which keeps their user manager.
	if _, err := testbed.Output("systemd-run", "--unit=login-of-tester", "-p", "User=tester", "-p", "PAMName=login", "sleep", "300"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		testbed.Output("loginctl", "enable-linger", "tester")
		testbed.Output("systemctl", "stop", "login-of-tester")
	})
	testbed.WaitFor(t, 10*time.Second, func() error {
		_, err := testbed.Output("sh", "-c", "loginctl list-sessions --no-legend | grep tester")
		return err
	})
	if _, err := testbed.Output("loginctl", "disable-linger", "tester"); err != nil {
		t.Fatal(err)
	}
	c := d.check()
	d.wants(c, "", tunnelfile.SubjectLinger, tunnelfile.Trouble, "tunnels end when your last session does", "loginctl enable-linger tester")
	if c.status != 1 {
		t.Errorf("exit status %d", c.status)
	}
}
