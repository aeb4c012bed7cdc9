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
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMendedSSHConfig: while a tunnel retries or is blocked, a file that ssh_config includes is
// mended. The next try goes by it, and the old values cost no login more.
func TestMendedSSHConfig(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s, other := testbed.StartServer(t, testbed.ServerOptions{}), testbed.StartServer(t, testbed.ServerOptions{})
		d.alias("server", s)
		config, gate := filepath.Join(person.Home, ".ssh/config"), filepath.Join(person.Home, ".ssh/gate")
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		d.writeFile(config, "Include gate\n"+string(text))
		target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
		for name, wrong := range map[string]struct {
			lines string
			state tunnelfile.State
		}{
			"port":     {fmt.Sprintf("Port %d\n", testbed.FreePort(t)), tunnelfile.Retrying},
			"user":     {"User nobody\n", tunnelfile.Blocked},
			"key":      {"IdentityFile ~/.ssh/none\nIdentitiesOnly yes\nIdentityAgent none\n", tunnelfile.Blocked},
			"host-key": {fmt.Sprintf("UserKnownHostsFile %s\n", other.KnownHosts), tunnelfile.Blocked},
			"settings": {"Ciphers rot13\n", tunnelfile.Blocked},
		} {
			d.writeFile(gate, wrong.lines)
			d.write(name, fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nTransport=%s\nRetryMax=5s\nLocalForward=127.0.0.1:%d %s\n", transport, testbed.FreePort(t), target))
			d.holdfast("up", "--no-wait", name)
			d.awaitState(name, wrong.state, 30*time.Second)
			before := s.Attempts()
			d.writeFile(gate, "Port none\n") // half of it written: ssh cannot read that
			d.writeFile(gate, "# mended\n")
			d.awaitState(name, tunnelfile.Up, 60*time.Second)
			if n := s.Attempts() - before; n > 1 {
				t.Errorf("%s: %d attempts after it was mended, want 1", name, n)
			}
			d.holdfast("down", name)
			if log := d.journal("holdfast-tunnel@" + name); strings.Contains(log, "panic") {
				t.Errorf("%s:\n%s", name, log)
			}
		}
	})
}
