//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMendedSSHConfig: while tunnels retry or are blocked, a file that ssh_config includes is mended,
// or its mode. The next try goes by it, and the old values cost no login more.
func TestMendedSSHConfig(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s, other := testbed.StartServer(t, testbed.ServerOptions{}), testbed.StartServer(t, testbed.ServerOptions{})
		config, gate := filepath.Join(person.Home, ".ssh/config"), filepath.Join(person.Home, ".ssh/gate")
		rows := []struct {
			name, wrong string
			state       tunnelfile.State
		}{
			{"port", fmt.Sprintf("Port %d\n", testbed.FreePort(t)), tunnelfile.Retrying},
			{"hostname", "HostName 127.0.0.9\n", tunnelfile.Retrying},
			{"user", "User nobody\n", tunnelfile.Blocked},
			{"method", "PubkeyAuthentication no\n", tunnelfile.Blocked},
			{"host-key", fmt.Sprintf("UserKnownHostsFile %s\n", other.KnownHosts), tunnelfile.Blocked},
		}
		target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
		wrong := ""
		for _, r := range rows {
			d.alias(r.name, s)
			wrong += "Host " + r.name + "\n" + r.wrong
		}
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		d.writeFile(config, "Include gate\n"+string(text))
		d.writeFile(gate, wrong)
		for _, r := range rows {
			d.write(r.name, fmt.Sprintf("[Tunnel]\nDestination=%s\nStart=manual\nTransport=%s\nRetryMax=5s\nLocalForward=127.0.0.1:%d %s\n", r.name, transport, testbed.FreePort(t), target))
			d.holdfast("up", "--no-wait", r.name)
		}
		for _, r := range rows {
			d.awaitState(r.name, r.state, 30*time.Second)
		}
		before := s.Attempts()
		d.writeFile(gate, "Port none\n") // half of it written: ssh cannot read that
		d.writeFile(gate, "# mended\n")
		for _, r := range rows {
			d.awaitState(r.name, tunnelfile.Up, 60*time.Second)
		}
		if n := s.Attempts() - before; n != len(rows) {
			t.Errorf("%d attempts after it was mended, want %d", n, len(rows))
		}

		// What ssh can make no sense of, for any host.
		for what, c := range map[string]struct{ spoil, mend func() }{
			"a setting": {func() { d.writeFile(gate, "Ciphers rot13\n") }, func() { d.writeFile(gate, "# mended\n") }},
			"a mode":    {func() { os.Chmod(gate, 0o666) }, func() { os.Chmod(gate, 0o600) }},
		} {
			d.holdfast("down", "port")
			c.spoil()
			d.holdfast("up", "--no-wait", "port")
			d.awaitState("port", tunnelfile.Blocked, 30*time.Second)
			c.mend()
			t.Log(what)
			d.awaitState("port", tunnelfile.Up, 30*time.Second)
		}
	})
}
