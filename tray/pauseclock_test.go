package tray

import (
	"testing"
	"time"
)

// TestPauseByTheClock: the time in which the machine sleeps counts.
func TestPauseByTheClock(t *testing.T) {
	for _, p := range pausesAt(time.Now()) {
		if p.until != p.until.Round(0) {
			t.Errorf("%s: until %v, which is not by the clock on the wall", p.label, p.until)
		}
	}
}

func TestNextByClock(t *testing.T) {
	midnight := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		pause Pause
		want  time.Time
	}{
		{Pause{}, midnight},
		{Pause{Since: noon}, midnight},
		{Pause{Since: noon, Until: noon.Add(time.Hour)}, noon.Add(time.Hour)},
		{Pause{Since: noon, Until: noon.Add(20 * time.Hour)}, midnight},
	} {
		if got := nextByClock(c.pause, noon); !got.Equal(c.want) {
			t.Errorf("%+v: %v, want %v", c.pause, got, c.want)
		}
	}
}
