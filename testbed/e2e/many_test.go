//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestHundred brings a hundred tunnels to one server up and down, twice, and
// looks for anything that stays behind.
func TestHundred(t *testing.T) {
	const tunnels = 100
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{}) // with sshd's own MaxStartups
	d.alias("server", s)
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	locals := make([]string, tunnels)
	for i := range locals {
		locals[i] = fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
		d.write(fmt.Sprintf("t%02d", i), "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+locals[i]+" "+target+"\n")
	}
	d.holdfast("list")
	daemon := mainPID(t, "holdfastd.service")

	var fds []int
	for round := range 3 {
		start := time.Now()
		d.holdfast("up", "--all")
		t.Logf("round %d: %d tunnels up in %v", round, tunnels, time.Since(start).Round(time.Millisecond))
		if round == 0 {
			t.Logf("with %d tunnels up: daemon %d KiB PSS, a worker %d KiB PSS", tunnels,
				pss(t, daemon), pss(t, mainPID(t, "holdfast-tunnel@t00.service")))
		}
		var all sync.WaitGroup
		for _, local := range locals {
			all.Go(func() {
				if err := testbed.EchoAt(local, 64<<10, time.Minute); err != nil {
					t.Errorf("%s: %v", local, err)
				}
			})
		}
		all.Wait()
		start = time.Now()
		d.holdfast("down", "--all")
		t.Logf("round %d: down in %v", round, time.Since(start).Round(time.Millisecond))
		testbed.WaitFor(t, 20*time.Second, func() error {
			if units := d.units(); len(units) > 0 {
				return fmt.Errorf("%d units left, such as %s", len(units), units[0])
			}
			if sessions := s.SessionPIDs(); len(sessions) > 0 {
				return fmt.Errorf("%d sessions left at the server", len(sessions))
			}
			return nil
		})
		fds = append(fds, openFDs(t, daemon))
	}
	if s.Logins() != 3*tunnels {
		t.Errorf("%d logins for %d connections", s.Logins(), 3*tunnels)
	}
	// The first round may open what stays; later ones must not add to it.
	if fds[2] > fds[0] {
		t.Errorf("open files of the daemon after each round: %v", fds)
	}
	if now := mainPID(t, "holdfastd.service"); now != daemon {
		t.Errorf("the daemon died meanwhile: %d, then %d", daemon, now)
	}
	entries, err := os.ReadDir(runtimeDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".sock") {
			t.Errorf("%s was left in the runtime folder", e.Name())
		}
	}
}

func openFDs(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// pss is a process's proportional set size in KiB, see proc(5).
func pss(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
			n, _ := strconv.Atoi(fields[1])
			return n
		}
	}
	return 0
}
