package cli

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// testPrinter prints to a file, of which the function returns the text.
func testPrinter(t *testing.T) (*terminal.Printer, func() string) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return terminal.New(file, file, func(string) string { return "" }), func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// A tunnel that is degraded has some seconds to come up; each time anew.
func TestDegradedForAWhile(t *testing.T) {
	out, said := testPrinter(t)
	tunnel := listing.Tunnel{Name: "web"}
	a := action{done: func(now listing.Tunnel, _ time.Time) bool { return established(now) }, goal: "is up", mustBeWell: true}
	w := newWait(&session.Session{Out: out}, a, nil, []listing.Tunnel{tunnel}, time.Now(), patience)
	see := func(s tunnelfile.State) {
		tunnel.State = s
		w.finishDone(dbusapi.Snapshot{Running: true, Tunnels: []listing.Tunnel{tunnel}})
	}
	see(tunnelfile.Degraded)
	if len(w.pending) != 1 {
		t.Error("just degraded, and given up")
	}
	see(tunnelfile.Retrying)
	if len(w.unwell) != 0 {
		t.Error("the time runs while it is not degraded")
	}
	see(tunnelfile.Degraded)
	w.unwell["web"] = time.Now().Add(-recoveryTime)
	see(tunnelfile.Degraded)
	if len(w.pending) != 0 || !w.failed || !strings.HasSuffix(said(), "holdfast: web is degraded\nhint: what else it carries works, and it goes on trying; holdfast status web shows each forward\n") {
		t.Errorf("degraded for %v: %d pending, said %q", recoveryTime, len(w.pending), said())
	}

	w.pending, w.failed = []listing.Tunnel{{Name: "web"}}, false
	see(tunnelfile.Degraded)
	see(tunnelfile.Up)
	if len(w.pending) != 0 || w.failed || !strings.HasSuffix(said(), "web is up\n") {
		t.Errorf("up in time: %d pending, said %q", len(w.pending), said())
	}
}

// From offline and from failed, up leads through inactive; from connecting it does not.
func TestStoppedMeanwhile(t *testing.T) {
	for before, stopped := range map[tunnelfile.State]bool{
		tunnelfile.Offline: false, tunnelfile.Failed: false, tunnelfile.Connecting: true, tunnelfile.Retrying: true,
	} {
		out, said := testPrinter(t)
		since := time.Now()
		a := action{done: func(now listing.Tunnel, _ time.Time) bool { return established(now) }, goal: "is up", mustBeWell: true}
		w := newWait(&session.Session{Out: out}, a, nil, []listing.Tunnel{{Name: "web", State: before, StateSince: since}}, since, patience)
		for _, s := range []tunnelfile.State{before, tunnelfile.Inactive} {
			w.finishDone(dbusapi.Snapshot{Running: true, Tunnels: []listing.Tunnel{{Name: "web", State: s, StateSince: since}}})
		}
		if got := strings.Contains(said(), "stopped meanwhile"); got != stopped {
			t.Errorf("%s, then inactive: said %q", before, said())
		}
	}
}

// Restart leads from wherever a tunnel is through inactive, but only once.
func TestRestartLeadsThroughInactive(t *testing.T) {
	start := time.Now()
	out, said := testPrinter(t)
	a := action{done: func(now listing.Tunnel, asked time.Time) bool { return established(now) && now.StateSince.After(asked) }, goal: "is up again", restarts: true}
	before := []listing.Tunnel{{Name: "web", State: tunnelfile.Up, StateSince: start.Add(-time.Hour)}}
	w := newWait(&session.Session{Out: out}, a, nil, before, start, patience)
	see := func(s tunnelfile.State, since time.Time) {
		w.finishDone(dbusapi.Snapshot{Running: true, Tunnels: []listing.Tunnel{{Name: "web", State: s, StateSince: since}}})
	}
	see(tunnelfile.Up, start.Add(-time.Hour))
	see(tunnelfile.Stopping, start.Add(time.Millisecond))
	see(tunnelfile.Inactive, start.Add(2*time.Millisecond))
	if said() != "" || len(w.pending) != 1 {
		t.Fatalf("on its way down: %d pending, said %q", len(w.pending), said())
	}
	see(tunnelfile.Connecting, start.Add(3*time.Millisecond))
	see(tunnelfile.Inactive, start.Add(4*time.Millisecond))
	if !strings.Contains(said(), "stopped meanwhile") {
		t.Errorf("stopped by somebody while it came up: said %q", said())
	}
}
