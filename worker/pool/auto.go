package pool

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// Limits and times for Connections=auto.
const (
	manyLosses   = 3                    // losses within lossWindow of forward; a full line drops fewer
	pageChannels = 3                    // so many fresh channels are taken for a page
	longRTT      = 5 * time.Millisecond // a shorter round trip is not worth a connection
	keepTime     = 2 * time.Minute      // how long a number of connections is kept after it was last needed
	refusedAt    = 30 * time.Second     // a further connection that lasted less counts as refused
	askAgain     = 15 * time.Minute     // how long to wait after the server refused a further connection
)

// needed is how many SSH connections a load needs, at most tunnelfile.MaxAutoConnections.
//
// One connection is one queue:
//   - The other channels of a connection wait behind a bulk channel. So there is one connection
//     more than those with bulk channels, for new channels.
//   - A lost packet stops all channels of its connection. So on a lossy line each bulk channel gets
//     its own connection.
//   - Channels that are opened together, as for a web page, wait for each other's last packet,
//     because sshd uses Nagle's algorithm. They also wait for channels that have just ended. So
//     there are two connections more than such channels.
func needed(l forward.Load) int {
	n := 1
	if l.Bulk > 0 {
		n = l.BulkLinks + 1
	}
	if l.Bulk > 1 && l.Losses >= manyLosses {
		n = max(n, l.Bulk+1)
	}
	if l.Fresh >= pageChannels && l.RTT >= longRTT {
		n = max(n, l.Fresh+2)
	}
	return min(n, tunnelfile.MaxAutoConnections)
}

// auto is the state of Connections=auto. The caller of Resize and Fit owns it.
type auto struct {
	need    int       // the most connections that were needed lately
	since   time.Time // when so many were last needed
	refused time.Time // when the server refused a further connection; zero if it did not
	person  bool      // it was refused for want of a person: wait for the first connection's next login
	first   any       // the first connection's link that removeFailed saw last
}

// note records how many connections are needed now.
func (a *auto) note(n int, now time.Time) {
	if n >= a.need || now.Sub(a.since) >= keepTime {
		a.need, a.since = n, now
	}
}

// barred says whether no further connection may be tried, and until when. The zero time means until
// the first connection logs in anew.
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
	shrink      // by the surplus ones that are idle
)

// step decides about the number of connections. have is how many there are, allUp says whether
// all of them are established. again is when to decide anew; zero if the clock alone changes nothing.
func (a *auto) step(now time.Time, have int, allUp bool) (s step, again time.Time) {
	if have > a.need {
		return shrink, time.Time{}
	}
	if have > 1 {
		again = a.since.Add(keepTime)
	}
	if have == a.need || !allUp {
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

// Fit adjusts the number of connections to a load, with Connections=auto only. It adds one when all
// others are established, or removes surplus ones that are idle. load is nil if there is no new
// sample. again is when to call Fit next at the latest; zero if there is no need.
func (p *Pool) Fit(now time.Time, load *forward.Load) (again time.Time) {
	if !p.automatic {
		return time.Time{}
	}
	p.removeFailed(now)
	first := p.First()
	if load != nil {
		l := *load
		if l.RTT == 0 {
			l.RTT = first.RTT
		}
		p.auto.note(needed(l), now)
	} else if now.Sub(p.auto.since) >= keepTime {
		p.auto.note(1, now)
	}
	p.mu.Lock()
	all := p.connections
	allUp := !slices.ContainsFunc(all, func(c *Connection) bool { return !c.last.Complete || c.last.State != tunnelfile.Up })
	p.mu.Unlock()
	s, again := p.auto.step(now, len(all), allUp)
	switch s {
	case grow:
		p.add()
		p.c.Log.Info("another SSH connection, for what the tunnel carries", "connections", len(all)+1)
	case shrink:
		p.shrink()
	}
	return again
}

// shrink removes surplus connections that carry no channel.
func (p *Pool) shrink() {
	all := p.all()
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

// removeFailed removes further connections that failed or were lost. If the first connection is down and
// another one is up, they change places.
func (p *Pool) removeFailed(now time.Time) {
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
			// If the first connection has a new link too, the network failed and not the server refused.
			if first.State == tunnelfile.Up && !renewed && c.lastUptime < refusedAt {
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
		p.c.Log.Info("no further SSH connection can be made, going on with those there are", "connections", len(all)-len(gone), "error", refusal, "again", wait)
	}
}

// Further says whether Connections=auto added this connection. No person is asked for such a one.
func (p *Pool) Further(c *Connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.automatic && len(p.connections) > 0 && p.connections[0] != c
}
