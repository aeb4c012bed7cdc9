package manager

import (
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// retryTimer is when to try again without being asked, after a failure whose cause may end
// without a signal to the daemon: somebody else had a port, connections came faster than the
// program could take them, or there was no way to the server.
type retryTimer struct {
	at    time.Time // zero if no retry is planned
	delay time.Duration
	last  time.Time // when the last retry was planned
}

const (
	firstDelay = 5 * time.Second
	lastDelay  = time.Minute
	resetAfter = 10 * time.Minute // the delay starts over after this time without a failure
)

// recent says whether the last retry was planned less than resetAfter ago.
func (t retryTimer) recent() bool { return time.Since(t.last) < resetAfter }

// scheduleRetry plans a retry of a row. Each failure doubles the delay.
func (m *Manager) scheduleRetry(r *row) {
	if !r.retry.recent() {
		r.retry.delay = 0
	}
	now := time.Now()
	r.retry.last = now
	r.retry.delay = min(max(2*r.retry.delay, firstDelay), lastDelay)
	r.retry.at = now.Add(r.retry.delay)
	m.armClock()
}

// armClock sets the clock for the row that is due first. The clock is stopped if none is, so an
// idle daemon never wakes up.
func (m *Manager) armClock() {
	var first time.Time
	for _, r := range m.rows {
		if at := r.retry.at; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	m.clock.Stop()
	if !first.IsZero() {
		m.clock.Reset(time.Until(first))
	}
}

// retryDue retries the rows that are due.
func (m *Manager) retryDue() {
	now := time.Now()
	for _, r := range m.rows {
		if at := r.retry.at; at.IsZero() || at.After(now) {
			continue
		}
		r.retry.at = time.Time{}
		switch {
		case m.obstacle(r).ofWay():
			r.wayKnown = false
		case r.failure.reason == fault.Listen:
			r.diagnose = true // this asks the kernel, not systemd
		case r.failure != (failure{}) || r.socket.failed():
			r.allowRetry()
		}
		m.step(r)
	}
	m.armClock()
}
