package manager

import "time"

// again is when to try once more what failed because somebody else had a port, or
// because connections came faster than the program could take them. Both may pass
// without a sign that the daemon could wait for.
type again struct {
	at    time.Time // zero: not unasked
	delay time.Duration
	last  time.Time // when it was last armed
}

const (
	firstDelay = 5 * time.Second
	lastDelay  = time.Minute
	forgetting = 10 * time.Minute // without a failure, and the delays start over
)

// fails says whether the row failed so not long ago.
func (a again) fails() bool { return time.Since(a.last) < forgetting }

// tryLater arms the clock for a row; each failure in a row doubles the delay.
func (m *Manager) tryLater(r *row) {
	if !r.again.fails() {
		r.again.delay = 0
	}
	now := time.Now()
	r.again.last = now
	r.again.delay = min(max(2*r.again.delay, firstDelay), lastDelay)
	r.again.at = now.Add(r.again.delay)
	m.setClock()
}

// setClock arms the one clock for the row that is due first, if any: with nothing to
// wait for, the daemon has no timer at all.
func (m *Manager) setClock() {
	var first time.Time
	for _, r := range m.rows {
		if at := r.again.at; !at.IsZero() && (first.IsZero() || at.Before(first)) {
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
		if at := r.again.at; !at.IsZero() && !at.After(now) {
			r.again.at = time.Time{}
			if r.problem != "" {
				r.diagnose = true // without troubling systemd
			} else {
				r.occasion()
			}
			m.step(r)
		}
	}
	m.setClock()
}

// occasion lets a row try again what failed, or what somebody else stopped.
func (r *row) occasion() {
	r.retry, r.alone, r.problem = true, false, ""
}
