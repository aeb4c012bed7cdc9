package wire

import (
	"testing"
	"time"
)

func TestWindowGrowsWithinARoundTrip(t *testing.T) {
	const trip = 100 * time.Millisecond
	before := windows.Load()
	var w window
	w.open()
	now := time.Now()
	w.measure(now, trip)
	fill := func(took time.Duration) {
		now = now.Add(took)
		w.measure(now, trip)
	}
	fill(trip / 10)
	if w.size != firstWindow {
		t.Errorf("what lay here already made the window grow to %d", w.size)
	}
	fill(3 * trip)
	if w.size != firstWindow {
		t.Errorf("a stream that is slower than its window made it grow to %d", w.size)
	}
	for _, want := range []int64{2 * firstWindow, 4 * firstWindow, largeWindow, largeWindow} {
		if fill(trip); w.size != want {
			t.Errorf("a window of %d, want %d", w.size, want)
		}
	}
	var credited int64
	for range 1000 {
		credited += int64(w.take(32<<10, func() time.Duration { return 0 }))
	}
	if want := int64(1000*32<<10) + largeWindow - firstWindow - w.consumed; credited != want {
		t.Errorf("%d credited, want %d", credited, want)
	}

	// A stream that needs less gives back, by what it is not credited.
	for w.size > firstWindow {
		fill(10 * trip)
		w.take(int(w.size-w.wanted)+relaxedAfter, func() time.Duration { return 0 })
	}
	if w.close(); windows.Load() != before {
		t.Errorf("windows of %d are counted that are closed", windows.Load()-before)
	}
	if w.close(); windows.Load() != before {
		t.Error("closing twice counts twice")
	}
}

// TestCreditsAreFewWhereTheWindowIsNoLimit reads a stream that its window limits, and one that something
// else limits.
func TestCreditsAreFewWhereTheWindowIsNoLimit(t *testing.T) {
	const trip = 10 * time.Millisecond
	for _, c := range []struct {
		took  time.Duration // for what the window holds
		trip  time.Duration
		batch int
	}{
		{3 * trip, trip, creditAfter},
		{5 * trip, trip, relaxedAfter},
		{time.Hour, 0, creditAfter}, // through a jump host, the round trip is not known
	} {
		var w window
		w.open()
		defer w.close()
		now := time.Now()
		w.measure(now, c.trip)
		w.measure(now.Add(c.took), c.trip)
		w.consumed = 0 // without what the window has grown by
		unknown := func() time.Duration { return 0 }
		if got := w.take(c.batch-1, unknown); got != 0 {
			t.Errorf("%v for a window and %v for a round trip: %d credited early", c.took, c.trip, got)
		}
		if got := w.take(1, unknown); got != uint32(c.batch) {
			t.Errorf("%v for a window and %v for a round trip: %d credited, want %d", c.took, c.trip, got, c.batch)
		}
	}
}

func TestWindowsKeepToABudget(t *testing.T) {
	const trip = 100 * time.Millisecond
	all := make([]window, 20)
	now := time.Now()
	for i := range all {
		all[i].open()
		defer all[i].close()
		all[i].measure(now, trip)
	}
	for range 5 {
		now = now.Add(trip)
		for i := range all {
			all[i].measure(now, trip)
		}
	}
	if windows.Load() > windowBudget {
		t.Errorf("all windows come to %d, more than %d", windows.Load(), windowBudget)
	}
}
