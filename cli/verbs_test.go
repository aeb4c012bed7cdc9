package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A tunnel that is degraded has some seconds to come up; each time anew.
func TestDegradedForAWhile(t *testing.T) {
	var said, wrong strings.Builder
	tunnel := dbusapi.Tunnel{Name: "web"}
	w := wait{
		session:  &session{out: &printer{out: &output{file: &said}, err: &wrong}},
		action:   action{done: func(now dbusapi.Tunnel, _ time.Time) bool { return stands(now) }, goal: "is up", well: true},
		pending:  []dbusapi.Tunnel{tunnel},
		moved:    make(map[string]bool),
		degraded: make(map[string]time.Time),
	}
	see := func(s tunnelfile.State) {
		tunnel.State = s
		w.take(dbusapi.Snapshot{Running: true, Tunnels: []dbusapi.Tunnel{tunnel}})
	}
	see(tunnelfile.Degraded)
	if left, some := w.settling(); len(w.pending) != 1 || !some || left <= settleTime/2 {
		t.Errorf("just degraded: %d pending, %v left", len(w.pending), left)
	}
	see(tunnelfile.Retrying)
	if _, some := w.settling(); some {
		t.Error("the time runs while it is not degraded")
	}
	see(tunnelfile.Degraded)
	w.degraded["web"] = time.Now().Add(-settleTime)
	see(tunnelfile.Degraded)
	if len(w.pending) != 0 || !w.failed || !strings.HasPrefix(wrong.String(), "holdfast: web is degraded\n") {
		t.Errorf("degraded for %v: %d pending, said %q", settleTime, len(w.pending), wrong.String())
	}

	w.pending, w.failed = []dbusapi.Tunnel{{Name: "web"}}, false
	see(tunnelfile.Degraded)
	see(tunnelfile.Up)
	if len(w.pending) != 0 || w.failed || said.String() != "web is up\n" {
		t.Errorf("up in time: %d pending, said %q", len(w.pending), said.String())
	}
}

// From offline and from failed, up leads through inactive; from connecting it does not.
func TestStoppedMeanwhile(t *testing.T) {
	for before, stopped := range map[tunnelfile.State]bool{
		tunnelfile.Offline: false, tunnelfile.Failed: false, tunnelfile.Connecting: true, tunnelfile.Retrying: true,
	} {
		var said, wrong strings.Builder
		since := time.Now()
		w := wait{
			session:  &session{out: &printer{out: &output{file: &said}, err: &wrong}},
			action:   action{done: func(now dbusapi.Tunnel, _ time.Time) bool { return stands(now) }, goal: "is up", well: true},
			start:    since,
			pending:  []dbusapi.Tunnel{{Name: "web", State: before, StateSince: since}},
			moved:    make(map[string]bool),
			degraded: make(map[string]time.Time),
		}
		for _, s := range []tunnelfile.State{before, tunnelfile.Inactive} {
			w.take(dbusapi.Snapshot{Running: true, Tunnels: []dbusapi.Tunnel{{Name: "web", State: s, StateSince: since}}})
		}
		if got := strings.Contains(wrong.String(), "stopped meanwhile"); got != stopped {
			t.Errorf("%s, then inactive: said %q", before, wrong.String())
		}
	}
}

// Restart leads from wherever a tunnel is through inactive, but only once.
func TestRestartLeadsThroughInactive(t *testing.T) {
	start := time.Now()
	var said, wrong strings.Builder
	w := wait{
		session: &session{out: &printer{out: &output{file: &said}, err: &wrong}},
		action:  action{done: func(now dbusapi.Tunnel, asked time.Time) bool { return stands(now) && now.StateSince.After(asked) }, goal: "is up again", anew: true},
		start:   start,
		pending: []dbusapi.Tunnel{{Name: "web", State: tunnelfile.Up, StateSince: start.Add(-time.Hour)}},
		moved:   make(map[string]bool),
	}
	see := func(s tunnelfile.State, since time.Time) {
		w.take(dbusapi.Snapshot{Running: true, Tunnels: []dbusapi.Tunnel{{Name: "web", State: s, StateSince: since}}})
	}
	see(tunnelfile.Up, start.Add(-time.Hour))
	see(tunnelfile.Stopping, start.Add(time.Millisecond))
	see(tunnelfile.Inactive, start.Add(2*time.Millisecond))
	if wrong.String() != "" || len(w.pending) != 1 {
		t.Fatalf("on its way down: %d pending, said %q", len(w.pending), wrong.String())
	}
	see(tunnelfile.Connecting, start.Add(3*time.Millisecond))
	see(tunnelfile.Inactive, start.Add(4*time.Millisecond))
	if !strings.Contains(wrong.String(), "stopped meanwhile") {
		t.Errorf("stopped by somebody while it came up: said %q", wrong.String())
	}
}
