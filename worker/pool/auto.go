package pool

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// How many connections there are with Connections=auto, and for how long.
const (
	lossy     = 3                    // losses within some seconds that are more than what a full line drops
	pageful   = 3                    // channels opened at once
	farAway   = 5 * time.Millisecond // a round trip that is worth saving
	keepFor   = 2 * time.Minute      // what was needed is kept for so long
	refusedAt = 30 * time.Second     // a connection that lasted less was refused
	askAgain  = 15 * time.Minute     // after the server refused a further one
)

// needed is how many SSH connections a load needs, of those that Connections=auto allows.
//
// One connection is one queue. Behind a channel that moves much all others of its connection
// wait, so one connection more than those with such channels is there for what comes next. A
// packet that is lost stops all channels of its connection, so on a line that loses some each
// channel that moves much gets one of its own. And channels that are opened at once, as for a
// page, wait for each other's last packet: sshd sends with Nagle's algorithm. What has ended on
// a connection a moment ago is waited for too, hence two more than there are such channels.
func needed(l forward.Load) int {
	n := 1
	if l.Bulk > 0 {
		n = l.BulkLinks + 1
	}
	if l.Bulk > 1 && l.Losses >= lossy {
		n = max(n, l.Bulk+1)
	}
	if l.Fresh >= pageful && l.RTT >= farAway {
		n = max(n, l.Fresh+2)
	}
	return min(n, tunnelfile.MaxAutoConnections)
}

// auto is what Connections=auto keeps in mind.
type auto struct {
	need    int       // the most that were needed lately …
	since   time.Time // … and when they last were
	refused time.Time // when the server refused a further one; zero: it did not
	person  bool      // that was for want of a person: with the first connection's login it would be another matter
	first   any       // the link of the first connection when that was so
}

// note takes notice of how many are needed now.
func (a *auto) note(n int, now time.Time) {
	if n >= a.need || now.Sub(a.since) >= keepFor {
		a.need, a.since = n, now
	}
}

// barred says whether no further connection is to be tried, and until when; the zero time means:
// for as long as the first one stands.
func (a *auto) barred(now time.Time) (yes bool, until time.Time) {
	switch {
	case a.refused.IsZero():
		return false, time.Time{}
	case a.person:
		return true, time.Time{}
	}
	until = a.refused.Add(askAgain)
	return now.Before(until), until
}

// step is what to do about the number of connections.
type step int

const (
	stay   step = iota
	grow        // by one
	shrink      // by those that are idle and too many
)

// step decides it: there are so many connections, and standing says whether all of them stand.
// again is when to decide anew; zero: not by the clock.
func (a *auto) step(now time.Time, have int, standing bool) (s step, again time.Time) {
	if have > a.need {
		return shrink, time.Time{}
	}
	if have > 1 {
		again = a.since.Add(keepFor)
	}
	if have == a.need || !standing {
		return stay, again
	}
	if barred, until := a.barred(now); barred {
		if again.IsZero() || !until.IsZero() && until.Before(again) {
			again = until
		}
		return stay, again
	}
	return grow, again
}

// Fit makes it as many connections as a load needs, where their number is not given: one more
// once all stand, or fewer by those that are idle. again is when to call it anew, whatever
// happens until then; zero: then there is no need.
func (p *Pool) Fit(now time.Time, load *forward.Load) (again time.Time) {
	if !p.automatic {
		return time.Time{}
	}
	p.sortOut(now)
	first := p.First()
	if load != nil {
		l := *load
		if l.RTT == 0 {
			l.RTT = first.RTT
		}
		p.auto.note(needed(l), now)
	} else if now.Sub(p.auto.since) >= keepFor {
		p.auto.note(1, now)
	}
	p.mu.Lock()
	all := p.connections
	standing := !slices.ContainsFunc(all, func(c *Connection) bool { return !c.last.Complete || c.last.State != tunnelfile.Up })
	p.mu.Unlock()
	s, again := p.auto.step(now, len(all), standing)
	switch s {
	case grow:
		p.add()
		p.c.Log.Info("another SSH connection, for what the tunnel carries", "connections", len(all)+1)
	case shrink:
		p.shrink()
	}
	return again
}

// shrink ends the connections that are too many, but none that carries a channel.
func (p *Pool) shrink() {
	p.mu.Lock()
	all := p.connections
	p.mu.Unlock()
	left := len(all)
	for _, c := range slices.Backward(all[1:]) {
		if left > p.auto.need && c.Slot.CloseIdle() {
			p.remove(c)
			left--
		}
	}
	if left < len(all) {
		p.c.Log.Info("fewer SSH connections are needed", "connections", left)
	}
}

// sortOut lets go of further connections that cannot be had, or not any more. One that stands
// takes the place of a first one that does not.
func (p *Pool) sortOut(now time.Time) {
	p.mu.Lock()
	all := slices.Clone(p.connections)
	if i := slices.IndexFunc(all, func(c *Connection) bool { return c.last.State == tunnelfile.Up }); i > 0 && all[0].last.Link == nil {
		all[0], all[i] = all[i], all[0]
		p.connections = all
	}
	first := all[0].last
	renewed := first.Link != nil && p.auto.first != any(first.Link)
	var gone []*Connection
	var refusal error
	for _, c := range all[1:] {
		if s := c.last; s.Link == nil && s.Err != nil {
			gone = append(gone, c)
			// Where the first one is another too it was not the server's will.
			if first.State == tunnelfile.Up && !renewed && c.stood < refusedAt {
				refusal = s.Err
			}
		}
	}
	if renewed {
		p.auto.refused, p.refused = time.Time{}, nil
		p.auto.first = first.Link
	}
	if barred, _ := p.auto.barred(now); !barred {
		p.refused = nil
	}
	if refusal != nil {
		p.auto.refused, p.auto.person = now, fault.ClassOf(refusal).Blocks()
		p.refused = refusal
	}
	p.mu.Unlock()
	for _, c := range gone {
		c.Slot.Close()
		p.remove(c)
	}
	if refusal != nil {
		wait := text.Span(askAgain)
		if p.auto.person {
			wait = "with the first connection's next login"
		}
		p.c.Log.Info("there is no further SSH connection to be had, staying with those that stand", "connections", len(all)-len(gone), "error", refusal, "again", wait)
	}
}

// Further says whether a connection is one that nobody asked for by number: a person is not to be
// troubled for it.
func (p *Pool) Further(c *Connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.automatic && len(p.connections) > 0 && p.connections[0] != c
}
