//go:build testbed

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestCheckGatewayPorts: sshd says yes to a port for everybody and makes one for itself, unless
// GatewayPorts lets it; only trying tells.
func TestCheckGatewayPorts(t *testing.T) {
	d := newDesk(t)
	const address = "198.51.100.77"
	if _, err := testbed.Output("ip", "address", "add", address+"/32", "dev", "lo"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { testbed.Output("ip", "address", "del", address+"/32", "dev", "lo") })
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	for name, config := range map[string]string{"closed": "GatewayPorts no", "open": "GatewayPorts clientspecified"} {
		s := testbed.StartServer(t, testbed.ServerOptions{User: "tester", Addr: address, Config: []string{config}})
		d.alias(name, s)
		d.write(name, "[Tunnel]\nDestination="+name+"\nStart=manual\nRemoteForward=*:"+fmt.Sprint(testbed.FreePort(t))+" "+echo+"\n")
	}
	c := d.check()
	d.wants(c, "closed", tunnelfile.SubjectRemote, tunnelfile.Trouble, "the server listens for itself alone", "GatewayPorts clientspecified")
	d.wants(c, "open", tunnelfile.SubjectRemote, tunnelfile.FindingOK, "would listen", "")
}

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
