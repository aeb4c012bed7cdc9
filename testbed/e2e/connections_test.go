//go:build testbed

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestSeveralConnections: the unit serves while one of three is away, and everybody who asks
// is told how many there are.
func TestSeveralConnections(t *testing.T) {
	d := newDesk(t)
	server, local := d.echoTunnel(t, "echo", "Start=manual\nConnections=3\n")
	d.holdfast("up", "echo")
	shows := func(want string, argv ...string) {
		t.Helper()
		testbed.WaitFor(t, 20*time.Second, func() error {
			if out := d.holdfast(argv...); !strings.Contains(out, want) {
				return fmt.Errorf("%q lacks %q", out, want)
			}
			return nil
		})
	}
	shows("3 of 3 connections, ", "status", "echo")
	shows("up: 1 forward, 3 connections", "status", "echo")
	server.KillSession(syscall.SIGKILL)
	testbed.CheckEcho(t, dial(t, local), 1<<20, time.Minute)
	testbed.WaitFor(t, 20*time.Second, func() error {
		families := testbed.ParseOpenMetrics(t, d.holdfast("metrics"))
		for family, want := range map[string]float64{"holdfast_connections": 3, "holdfast_connections_wanted": 3, "holdfast_reconnects": 1} {
			if got, ok := families[family].Value("tunnel=echo"); !ok || got != want {
				return fmt.Errorf("%s: %v, %v, want %v", family, got, ok, want)
			}
		}
		return nil
	})
	shows(`"connections": 3,`, "--json", "status", "echo")
	d.holdfast("set", "echo", "Connections=1")
	shows("up: 1 forward, rtt", "status", "echo")
	if log := d.journal("holdfast-tunnel@echo"); strings.Contains(log, "Main process exited") {
		t.Errorf("the unit ended:\n%s", log)
	}
}
