package netwatch

import "time"

// idleTimer is a timer that is stopped while nothing is planned.
type idleTimer struct{ t *time.Timer }

func newIdleTimer() idleTimer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return idleTimer{t}
}

func (i idleTimer) C() <-chan time.Time { return i.t.C }

// arm sets the timer; the zero time stops it.
func (i idleTimer) arm(at time.Time) {
	if at.IsZero() {
		i.t.Stop()
		return
	}
	i.t.Reset(time.Until(at))
}

// earliest is the first of some times. It ignores zero times.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// isDue says whether a planned time has come. The zero time never comes.
func isDue(at time.Time) bool { return !at.IsZero() && !time.Now().Before(at) }
