//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestDaemonFilesRunOut: a daemon that may have hardly any files open answers all the same, and
// knows every tunnel once it may have more.
func TestDaemonFilesRunOut(t *testing.T) {
	d := newDesk(t)
	limit := filepath.Join(person.Home, ".config/systemd/user/holdfastd.service.d/limit.conf")
	d.writeFile(limit, "[Service]\nLimitNOFILE=24\n")
	reload := func() {
		if _, err := as("systemctl", "--user", "daemon-reload"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		os.RemoveAll(filepath.Dir(limit))
		reload()
	})
	reload()
	const tunnels = 40
	for i := range tunnels {
		d.write(fmt.Sprintf("t%02d", i), fmt.Sprintf("[Tunnel]\nDestination=nowhere.invalid\nLocalForward=%d localhost:1\nStart=manual\n", 19100+i))
	}
	d.holdfast("list")
	for range 5 {
		d.holdfast("set", "t00", "Description=again")
	}
	if n := property("holdfastd.service", "NRestarts"); n != "0" {
		t.Errorf("the daemon was started again %s times", n)
	}
	os.Remove(limit)
	reload()
	if _, err := as("systemctl", "--user", "restart", "holdfastd"); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		out, err := holdfast("list", "-o", "name")
		if n := strings.Count(out, "\n"); err == nil && n != tunnels {
			err = fmt.Errorf("%d tunnels, want %d:\n%s", n, tunnels, out)
		}
		return err
	})
}
