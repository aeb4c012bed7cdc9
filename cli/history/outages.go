package history

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// What counts as an outage: a tunnel that is wanted up has no SSH connection. That is so from
// the moment it is lost, or from the start that did not lead to one, until the next one stands
// or nobody wants it any more. Being without a network is one, too. A start that leads to a
// connection within startTime counts neither way.
//
// Not wanted is a tunnel that somebody stopped, that waits for its first connection or whose own
// rules (OnlyOn=, NeverOn=, Metered=no) forbid this network; or while the machine is off or
// asleep, or goes to sleep.

// lostJustNow is how long after the loss of its SSH connection a tunnel says what it does about it.
const lostJustNow = time.Second

// startTime is how long a start may take.
const startTime = time.Minute

// past is what became of a tunnel over some time. Spans are without those in which the
// machine slept.
type past struct {
	Name     string
	Known    time.Duration // the journal says what it did
	Up       time.Duration
	Degraded time.Duration // of Up: connected, but a forward was not well
	Down     time.Duration // in Outages
	Outages  []outage
	Ups      []span // when it was up, by the clock on the wall
}

// span is a time from one moment to another.
type span struct{ from, to time.Time }

// outage is a time in which a tunnel was wanted up and was not.
type outage struct {
	Began   time.Time
	Ended   time.Time // zero: it goes on
	Lasted  time.Duration
	State   tunnelfile.State // it came to first
	Why     cause
	Earlier bool // it began before the time that is looked at
}

// wanted is how long the tunnel was wanted up.
func (p past) wanted() time.Duration { return p.Up + p.Down }

// availability is how much of the time it was up in which it was wanted; false: it never was.
func (p past) availability() (float64, bool) {
	if p.wanted() == 0 {
		return 0, false
	}
	return float64(p.Up) / float64(p.wanted()), true
}

// longest is the longest outage, 0 for none.
func (p past) longest() (longest time.Duration) {
	for _, o := range p.Outages {
		longest = max(longest, o.Lasted)
	}
	return longest
}

// inOrder is events in the order in which they happened; those of one list are.
func inOrder(lists ...[]event) []event {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b event) int { return a.at.wall.Compare(b.at.wall) })
	return all
}

// pastOf is what became of a tunnel between since and now (pure). The events may be those of all
// tunnels; from those before since only the state is known that it was in then. Nobody wants one
// up that is on demand and whose program does not run.
func pastOf(name string, onDemand bool, events []event, since time.Time, now moment) past {
	l := life{past: past{Name: name}, onDemand: onDemand}
	reached := false
	for _, e := range events {
		if e.tunnel != name && e.tunnel != "" {
			continue
		}
		if !reached && !e.at.wall.Before(since) {
			reached = true
			l.beginAt(e.at.at(since))
		}
		l.reach(e.at)
		l.take(e)
	}
	if !reached {
		l.beginAt(now.at(since))
	}
	l.reach(now)
	return l.past
}

// phase is what a tunnel's time counts as.
type phase int

const (
	unknown  phase = iota
	unwanted       // it is to be down
	starting       // it is to be up from now on
	standing       // it is up
	missing        // it is wanted up, and is not: the last outage goes on
)

// life is a tunnel's past while it is read.
type life struct {
	past
	onDemand bool

	at      moment
	phase   phase
	state   tunnelfile.State
	running bool // its program runs

	started  moment        // of starting
	why      cause         // likewise, what keeps it
	startFor time.Duration // how long it has been
	lost     cause         // why the SSH connection ended last
	lostAt   moment        // and when
	ended    bool          // the outage began with the end of the program
}

// beginAt is where the time begins that is looked at: what was before is forgotten but for the state.
func (l *life) beginAt(m moment) {
	l.reach(m)
	l.Known, l.Up, l.Degraded, l.Down, l.startFor, l.started, l.Ups = 0, 0, 0, 0, 0, m, nil
	last := len(l.Outages) - 1
	if l.phase != missing {
		l.Outages = nil
		return
	}
	l.Outages = l.Outages[last:]
	l.Outages[0].Began, l.Outages[0].Lasted, l.Outages[0].Earlier = m.wall, 0, true
}

// reach lets time pass until m.
func (l *life) reach(m moment) {
	d := m.since(l.at)
	if l.phase != unknown {
		l.Known += d
	}
	switch l.phase {
	case starting:
		if l.startFor += d; l.startFor > startTime {
			l.down(l.state, l.why)
		}
	case standing:
		l.Up += d
		if n := len(l.Ups); n > 0 && l.Ups[n-1].to.Equal(l.at.wall) {
			l.Ups[n-1].to = m.wall
		} else if m.boot == l.at.boot {
			l.Ups = append(l.Ups, span{l.at.wall, m.wall})
		}
		if l.state == tunnelfile.Degraded {
			l.Degraded += d
		}
	case missing:
		l.Down += d
		l.Outages[len(l.Outages)-1].Lasted += d
	}
	another := m.boot != l.at.boot && l.at.boot != ""
	l.at = m
	if another {
		l.off()
	}
}

// take takes in what happened now.
func (l *life) take(e event) {
	switch e.what {
	case workerSays:
		l.running, l.ended = true, false
		l.says(e.state, e.why)
	case daemonSays:
		switch {
		case l.running && e.state == tunnelfile.Offline && l.state == tunnelfile.Offline:
			l.knowsBetter(e.why)
		case l.running:
		case l.onDemand && e.state == tunnelfile.Offline:
			l.off()
		case e.state == tunnelfile.Offline, e.state == tunnelfile.Blocked, e.state == tunnelfile.Failed, e.state == tunnelfile.Inactive, e.state == tunnelfile.Listening:
			l.says(e.state, e.why)
		}
	case linkLost:
		l.lost, l.lostAt = e.why, e.at
	case unitStarting:
		if l.phase == standing { // its end was not heard
			l.down(tunnelfile.Retrying, cause{fault.Crashed, "its program ended"})
		}
		l.running = true
		l.says(tunnelfile.Connecting, cause{})
	case unitStopping, unitStopped:
		l.off()
	case programEnded:
		l.running = false
		switch {
		case l.phase == unwanted:
		case e.state == tunnelfile.Inactive:
			l.off()
		default:
			l.ended = l.phase != missing
			l.down(e.state, e.why)
		}
	case unitFailed:
		if l.phase == missing && l.ended {
			l.Outages[len(l.Outages)-1].Why = e.why
		}
	case machineOff:
		l.off()
	}
}

// says takes in what the tunnel is doing.
func (l *life) says(s tunnelfile.State, why cause) {
	switch s {
	case tunnelfile.Up, tunnelfile.Degraded:
		l.close()
		l.phase, l.state, l.lost = standing, s, cause{}
	case tunnelfile.Connecting:
		switch l.phase {
		case standing:
			l.down(s, cause{})
		case unknown, unwanted:
			l.start(cause{})
		}
		l.state = s
	case tunnelfile.Offline:
		switch {
		case excused(why):
			l.off()
		case l.phase == unwanted, l.phase == unknown && !l.running: // the daemon has just begun
			l.start(why)
		case l.phase != starting:
			l.down(s, why)
		}
		l.state = s
	case tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Failed:
		l.down(s, why)
	default: // stopping, inactive, listening
		l.off()
	}
}

// start is when it is wanted up, but for what keeps it.
func (l *life) start(why cause) {
	l.phase, l.started, l.startFor, l.why = starting, l.at, 0, why
}

// down opens an outage, or says more of the one that goes on.
func (l *life) down(s tunnelfile.State, why cause) {
	l.state = s
	if l.phase == missing {
		if o := &l.Outages[len(l.Outages)-1]; o.Why == (cause{}) {
			o.State, o.Why = s, why
		}
		return
	}
	if l.lost != (cause{}) && l.at.since(l.lostAt) < lostJustNow { // else another one stood
		why = l.lost
	}
	o := outage{Began: l.at.wall, State: s, Why: why, Earlier: l.phase == unknown}
	if l.phase == starting {
		o.Began, o.Lasted = l.started.wall, l.startFor
		l.Down += l.startFor
	}
	l.Outages = append(l.Outages, o)
	l.phase = missing
}

// off is what a tunnel does that nobody wants up.
func (l *life) off() {
	l.close()
	l.phase, l.state, l.running, l.lost = unwanted, tunnelfile.Inactive, false, cause{}
}

// excused says whether a tunnel that is offline for this reason is meant to be.
func excused(why cause) bool { return why.reason == fault.Sleep || why.reason == fault.Rule }

// close ends the outage, if there is one.
func (l *life) close() {
	if l.phase == missing {
		l.Outages[len(l.Outages)-1].Ended = l.at.wall
	}
}

// knowsBetter takes in why the daemon says that a tunnel is offline, which its program knows only
// to be without a network. It comes right after the program's own word.
func (l *life) knowsBetter(why cause) {
	switch {
	case l.phase == starting && excused(why):
		l.off()
	case l.phase == starting:
		l.why = why
	}
	if l.phase != missing {
		return
	}
	last := len(l.Outages) - 1
	o := &l.Outages[last]
	switch {
	case !excused(why):
		if o.State == tunnelfile.Offline {
			o.Why = why
		}
	case o.State == tunnelfile.Offline: // there was none
		l.Down -= o.Lasted
		l.Outages = l.Outages[:last]
		l.phase = unwanted
	default:
		l.close()
		l.phase = unwanted
	}
}
