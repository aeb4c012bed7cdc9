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
		w.take(int(w.size-w.wanted)+creditAfter, func() time.Duration { return 0 })
	}
	if w.close(); windows.Load() != before {
		t.Errorf("windows of %d are counted that are closed", windows.Load()-before)
	}
	if w.close(); windows.Load() != before {
		t.Error("closing twice counts twice")
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
