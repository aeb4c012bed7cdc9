package manager

import (
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// retryTimer is when to try again unasked: what failed because somebody else had a port,
// because connections came faster than the program could take them, or because there was
// no way to the server. Each may pass without a sign that the daemon could wait for.
type retryTimer struct {
	at    time.Time // zero: not unasked
	delay time.Duration
	last  time.Time // when it was last armed
}

const (
	firstDelay = 5 * time.Second
	lastDelay  = time.Minute
	forgetting = 10 * time.Minute // without a failure, and the delays start over
)

// recent says whether it was armed not long ago.
func (t retryTimer) recent() bool { return time.Since(t.last) < forgetting }

// tryLater arms the clock for a row; each failure doubles the delay.
func (m *Manager) tryLater(r *row) {
	if !r.retry.recent() {
		r.retry.delay = 0
	}
	now := time.Now()
	r.retry.last = now
	r.retry.delay = min(max(2*r.retry.delay, firstDelay), lastDelay)
	r.retry.at = now.Add(r.retry.delay)
	m.setClock()
}

// setClock arms the one clock for the row that is due first, if any: with nothing to
// wait for, the daemon has no timer at all.
func (m *Manager) setClock() {
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

// tryAgain retries the rows that are due.
func (m *Manager) tryAgain() {
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
			r.diagnose = true // without troubling systemd
		case r.failure != (failure{}) || r.socket.failed():
			r.occasion()
		}
		m.step(r)
	}
	m.setClock()
}
