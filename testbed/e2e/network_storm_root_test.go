//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/holdfast/holdfast/testbed"
)

// decisions is how often the daemon logged that the network is another.
func (d *desk) decisions() int { return strings.Count(d.journal("holdfastd"), "network ") }

// storm makes NetworkManager send n signals as fast as it can: each change of a property
// is one, or more. Done says when it has answered them all.
func storm(t *testing.T, n int) (done func()) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	const name = "org.freedesktop.NetworkManager"
	calls := make(chan *dbus.Call, n)
	manager := conn.Object(name, "/org/freedesktop/NetworkManager")
	for i := range n {
		manager.Go("org.freedesktop.DBus.Properties.Set", 0, calls, name, "WwanEnabled", dbus.MakeVariant(i%2 == 0))
	}
	return func() {
		t.Helper()
		for range n {
			select {
			case call := <-calls:
				if call.Err != nil {
					t.Fatal(call.Err)
				}
			case <-time.After(time.Minute):
				t.Fatal("NetworkManager does not answer")
			}
		}
	}
}

// TestThousandSignals: NetworkManager says a thousand times in a moment that something
// changed. Nothing did, and nothing is done; when the network goes in the middle of
// another thousand, that is one decision.
func TestThousandSignals(t *testing.T) {
	a := newAway(t)
	k := a.talk()
	k.goesOn(t, 10*time.Second)
	daemon := mainPID(t, "holdfastd.service")
	before, cost, start := a.decisions(), costOf(t, daemon), time.Now()
	storm(t, 1000)()
	took := time.Since(start)
	k.goesOn(t, 10*time.Second)
	a.awaitStatus(10*time.Second, "network online")
	spent := costOf(t, daemon).minus(cost)
	figure(t, "1000 signals in %v: %v of the daemon's CPU, %d decisions", took.Round(time.Millisecond), spent.cpu, a.decisions()-before)
	if n := a.decisions() - before; n != 0 {
		t.Errorf("%d decisions, though nothing changed", n)
	}
	if spent.cpu > 3*time.Second {
		t.Errorf("%v of CPU for signals that say nothing", spent.cpu)
	}
	if n := a.server.Logins(); n != 1 {
		t.Errorf("%d logins, want the first one only", n)
	}

	before = a.decisions()
	done := storm(t, 1000)
	a.card.Down()
	a.awaitWord("offline", 20*time.Second)
	done()
	a.awaitStatus(10*time.Second, "network offline")
	// A NetworkManager that is this busy may be seen between connected and disconnected.
	if n := a.decisions() - before; n < 1 || n > 2 {
		t.Errorf("%d decisions for one change:\n%s", n, a.journal("holdfastd"))
	}
	a.card.Up()
	a.trip(20 * time.Second)
}

// cost is what a process has used so far.
type cost struct {
	cpu   time.Duration
	wakes int // voluntary context switches of all its threads; Go's runtime makes some tens of one event
}

func (c cost) minus(o cost) cost { return cost{c.cpu - o.cpu, c.wakes - o.wakes} }

// costOf reads /proc, see proc(5). A thread that ended in between counts no more.
func costOf(t *testing.T, pid int) (c cost) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The second field is the name in parentheses. The 14th and 15th are ticks of 10 ms.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		c.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, thread.Name()))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if number, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				n, _ := strconv.Atoi(strings.TrimSpace(number))
				c.wakes += n
			}
		}
	}
	return c
}

// TestIdle: fifty tunnels are up and nothing happens. HOLDFAST_IDLE is for how many seconds.
func TestIdle(t *testing.T) {
	const tunnels = 50
	length := time.Duration(count(t, "HOLDFAST_IDLE", 30)) * time.Second
	a := newAway(t)
	for i := range tunnels - 1 {
		a.write(fmt.Sprintf("t%02d", i), fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:%d %s\n", testbed.FreePort(t), a.echo))
	}
	a.holdfast("up", "--all")
	a.awaitStatus(time.Minute, fmt.Sprintf("%d of %d tunnels up", tunnels, tunnels))
	daemon, worker := mainPID(t, "holdfastd.service"), mainPID(t, "holdfast-tunnel@away.service")
	// While fifty tunnels came up answers were slow. That they no longer are is told with
	// the first keepalives, 10 s later.
	<-time.After(15 * time.Second)
	d, w := costOf(t, daemon), costOf(t, worker)
	<-time.After(length)
	d, w = costOf(t, daemon).minus(d), costOf(t, worker).minus(w)
	perSecond := func(c cost) float64 { return float64(c.wakes) / length.Seconds() }
	figure(t, "idle for %v with %d tunnels: daemon %d wake-ups (%.2f a second), %v of CPU; one worker %d (%.2f a second), %v",
		length, tunnels, d.wakes, perSecond(d), d.cpu, w.wakes, perSecond(w), w.cpu)
	// On a busy machine a slow answer now and then is worth a new status, and that wakes the daemon.
	if perSecond(d) > 30 || d.cpu > length/100 {
		t.Errorf("the daemon has no reason to wake up %d times, nor to use %v", d.wakes, d.cpu)
	}
	// A keepalive every 10 s, its answer, and half of WatchdogSec.
	if perSecond(w) > 20 || w.cpu > length/100 {
		t.Errorf("a worker that keeps an idle connection wakes up %d times and uses %v", w.wakes, w.cpu)
	}
}
