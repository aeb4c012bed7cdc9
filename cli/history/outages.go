package history

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// What counts as an outage: a tunnel is wanted up and has no SSH connection. It lasts from the loss of
// a connection, or from a start that failed, until the next connection or until the tunnel is not
// wanted any more. Having no network is an outage too. A start that leads to a connection within
// startTime counts neither as up nor as down.
//
// A tunnel is not wanted up if somebody stopped it, if it waits for its first connection, or if its own
// rules (OnlyOn=, NeverOn=, Metered=no) forbid the network. It is not wanted either while the machine
// is off, asleep or about to sleep.

// lostJustNow is how soon after a lost SSH connection the worker reports its next state.
const lostJustNow = time.Second

// startTime is how long a start may take before it counts as an outage.
const startTime = time.Minute

// past is the result for one tunnel. Durations do not include the time in which the machine slept.
type past struct {
	Name     string
	Known    time.Duration // the time for which the journal has its state
	Up       time.Duration
	Degraded time.Duration // part of Up: connected, but a forward failed
	Down     time.Duration // the sum of Outages
	Outages  []outage
	Ups      []span // when it was up, by the wall clock
}

// span is the time between two wall-clock times.
type span struct{ from, to time.Time }

// outage is a time in which a tunnel was wanted up and was not up.
type outage struct {
	Began   time.Time
	Ended   time.Time // zero while it goes on
	Lasted  time.Duration
	State   tunnelfile.State // the first state in the outage
	Why     cause
	Earlier bool // it began before the period
}

// span is the time of an outage. One that goes on lasts until now.
func (o outage) span(now time.Time) span {
	if o.Ended.IsZero() {
		return span{o.Began, now}
	}
	return span{o.Began, o.Ended}
}

// wanted is how long the tunnel was wanted up.
func (p past) wanted() time.Duration { return p.Up + p.Down }

// availability is the share of the wanted time in which the tunnel was up. It is false if it was never wanted.
func (p past) availability() (float64, bool) {
	if p.wanted() == 0 {
		return 0, false
	}
	return float64(p.Up) / float64(p.wanted()), true
}

// longest is the length of the longest outage, 0 without outages.
func (p past) longest() (longest time.Duration) {
	for _, o := range p.Outages {
		longest = max(longest, o.Lasted)
	}
	return longest
}

// inOrder merges lists of events and sorts them by time. The order within a list stays.
func inOrder(lists ...[]event) []event {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b event) int { return a.at.wall.Compare(b.at.wall) })
	return all
}

// pastOf computes what happened to a tunnel between since and now (pure). events may include other
// tunnels. Events before since only determine the state at since. A tunnel on demand is not wanted up
// while its program does not run.
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
		l.apply(e)
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
	phaseUnknown  phase = iota
	phaseUnwanted       // it is not wanted up
	phaseStarting       // it is wanted up, and is starting
	phaseUp             // it is up
	phaseDown           // it is wanted up and is not: the last outage goes on
)

// life is the state while a tunnel's events are read.
type life struct {
	past
	onDemand bool

	at      moment
	phase   phase
	state   tunnelfile.State
	running bool // its program is running

	started  moment        // when starting began
	why      cause         // while starting: why it is not up yet
	startFor time.Duration // how long it has been starting
	lost     cause         // why the last SSH connection ended
	lostAt   moment        // when it ended
	ended    bool          // the current outage began with the end of the program
}

// beginAt starts the period. It forgets everything before it except the state and a current outage.
func (l *life) beginAt(m moment) {
	l.reach(m)
	l.Known, l.Up, l.Degraded, l.Down, l.startFor, l.started, l.Ups = 0, 0, 0, 0, 0, m, nil
	last := len(l.Outages) - 1
	if l.phase != phaseDown {
		l.Outages = nil
		return
	}
	l.Outages = l.Outages[last:]
	l.Outages[0].Began, l.Outages[0].Lasted, l.Outages[0].Earlier = m.wall, 0, true
}

// reach adds the time until m to the current phase.
func (l *life) reach(m moment) {
	d := m.since(l.at)
	if l.phase != phaseUnknown {
		l.Known += d
	}
	switch l.phase {
	case phaseStarting:
		if l.startFor += d; l.startFor > startTime {
			l.down(l.state, l.why)
		}
	case phaseUp:
		l.Up += d
		if n := len(l.Ups); n > 0 && l.Ups[n-1].to.Equal(l.at.wall) {
			l.Ups[n-1].to = m.wall
		} else if m.boot == l.at.boot {
			l.Ups = append(l.Ups, span{l.at.wall, m.wall})
		}
		if l.state == tunnelfile.Degraded {
			l.Degraded += d
		}
	case phaseDown:
		l.Down += d
		l.Outages[len(l.Outages)-1].Lasted += d
	}
	another := m.boot != l.at.boot && l.at.boot != ""
	l.at = m
	if another {
		l.off()
	}
}

// apply processes an event.
func (l *life) apply(e event) {
	switch e.what {
	case workerState:
		l.running, l.ended = true, false
		l.setState(e.state, e.why)
	case daemonState:
		switch {
		case l.running && e.state == tunnelfile.Offline && l.state == tunnelfile.Offline:
			l.daemonReason(e.why)
		case l.running:
		case l.onDemand && e.state == tunnelfile.Offline:
			l.off()
		case e.state == tunnelfile.Offline, e.state == tunnelfile.Blocked, e.state == tunnelfile.Failed, e.state == tunnelfile.Inactive, e.state == tunnelfile.Listening:
			l.setState(e.state, e.why)
		}
	case linkLost:
		l.lost, l.lostAt = e.why, e.at
	case unitStarting:
		if l.phase == phaseUp { // the end of its program is not in the journal
			l.down(tunnelfile.Retrying, cause{fault.Crashed, "its program ended"})
		}
		l.running = true
		l.setState(tunnelfile.Connecting, cause{})
	case unitStopping, unitStopped:
		l.off()
	case programEnded:
		l.running = false
		switch {
		case l.phase == phaseUnwanted:
		case e.state == tunnelfile.Inactive:
			l.off()
		default:
			l.ended = l.phase != phaseDown
			l.down(e.state, e.why)
		}
	case unitFailed:
		if l.phase == phaseDown && l.ended {
			l.Outages[len(l.Outages)-1].Why = e.why
		}
	case machineOff:
		l.off()
	}
}

// setState processes a state that the tunnel reports.
func (l *life) setState(s tunnelfile.State, why cause) {
	switch s {
	case tunnelfile.Up, tunnelfile.Degraded:
		l.close()
		l.phase, l.state, l.lost = phaseUp, s, cause{}
	case tunnelfile.Connecting:
		switch l.phase {
		case phaseUp:
			l.down(s, cause{})
		case phaseUnknown, phaseUnwanted:
			l.start(cause{})
		}
		l.state = s
	case tunnelfile.Offline:
		switch {
		case excused(why):
			l.off()
		case l.phase == phaseUnwanted, l.phase == phaseUnknown && !l.running: // the daemon has just started
			l.start(why)
		case l.phase != phaseStarting:
			l.down(s, why)
		}
		l.state = s
	case tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Failed:
		l.down(s, why)
	default: // stopping, inactive, listening
		l.off()
	}
}

// start begins the phase starting. why is what keeps the tunnel from being up, if known.
func (l *life) start(why cause) {
	l.phase, l.started, l.startFor, l.why = phaseStarting, l.at, 0, why
}

// down begins an outage, or adds the cause to the current one.
func (l *life) down(s tunnelfile.State, why cause) {
	l.state = s
	if l.phase == phaseDown {
		if o := &l.Outages[len(l.Outages)-1]; o.Why == (cause{}) {
			o.State, o.Why = s, why
		}
		return
	}
	if l.lost != (cause{}) && l.at.since(l.lostAt) < lostJustNow { // otherwise there was another connection since
		why = l.lost
	}
	o := outage{Began: l.at.wall, State: s, Why: why, Earlier: l.phase == phaseUnknown}
	if l.phase == phaseStarting {
		o.Began, o.Lasted = l.started.wall, l.startFor
		l.Down += l.startFor
	}
	l.Outages = append(l.Outages, o)
	l.phase = phaseDown
}

// off begins the phase unwanted.
func (l *life) off() {
	l.close()
	l.phase, l.state, l.running, l.lost = phaseUnwanted, tunnelfile.Inactive, false, cause{}
}

// excused says whether a tunnel is offline on purpose.
func excused(why cause) bool { return why.reason == fault.Sleep || why.reason == fault.Rule }

// close ends the current outage, if any.
func (l *life) close() {
	if l.phase == phaseDown {
		l.Outages[len(l.Outages)-1].Ended = l.at.wall
	}
}

// daemonReason takes over the daemon's reason for a tunnel that is offline. The worker only knows that
// there is no network. The daemon's event comes right after the worker's.
func (l *life) daemonReason(why cause) {
	switch {
	case l.phase == phaseStarting && excused(why):
		l.off()
	case l.phase == phaseStarting:
		l.why = why
	}
	if l.phase != phaseDown {
		return
	}
	last := len(l.Outages) - 1
	o := &l.Outages[last]
	switch {
	case !excused(why):
		if o.State == tunnelfile.Offline {
			o.Why = why
		}
	case o.State == tunnelfile.Offline: // it was no outage at all
		l.Down -= o.Lasted
		l.Outages = l.Outages[:last]
		l.phase = phaseUnwanted
	default:
		l.close()
		l.phase = phaseUnwanted
	}
}
