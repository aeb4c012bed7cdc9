//go:build testbed

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestOnDemand: no process and no SSH connection until somebody comes, nor when nobody is left.
func TestOnDemand(t *testing.T) {
	d := newDesk(t)
	s, local := d.echoTunnel(t, "lazy", "Start=on-demand\nIdleTimeout=1s\n")
	d.holdfast("up", "lazy")
	asleep := func() error {
		if state := property(tunnelfile.SocketName("lazy"), "SubState"); state != "listening" {
			return fmt.Errorf("the socket unit is %s", state)
		}
		if state := property(tunnelfile.ServiceName("lazy"), "ActiveState"); state != "inactive" {
			return fmt.Errorf("the service is %s", state)
		}
		if pids := s.SessionPIDs(); len(pids) > 0 {
			return fmt.Errorf("sshd has sessions: %v", pids)
		}
		return nil
	}
	testbed.WaitFor(t, 20*time.Second, asleep)
	if n := s.Attempts(); n != 0 {
		t.Errorf("%d SSH connections before the first client", n)
	}
	d.awaitState("lazy", tunnelfile.Listening, 20*time.Second)

	for round := 1; round <= 3; round++ {
		start := time.Now()
		conn := dial(t, local)
		testbed.CheckEcho(t, conn, 1<<20, 20*time.Second)
		t.Logf("served from nothing in %v", time.Since(start).Round(time.Millisecond))
		closed := time.Now()
		d.awaitState("lazy", tunnelfile.Up, time.Second)
		testbed.WaitFor(t, 10*time.Second, asleep)
		if idle := time.Since(closed); idle < 900*time.Millisecond || idle > 3*time.Second {
			t.Errorf("gone %v after the last channel closed, IdleTimeout is 1s", idle)
		}
		if s.Logins() != round {
			t.Errorf("%d logins after %d rounds", s.Logins(), round)
		}
		d.awaitState("lazy", tunnelfile.Listening, 20*time.Second)
	}
}
