package forward

import (
	"slices"
	"time"
)

// stalled is how long a link may owe an answer before another is preferred, where its round trip
// is not known or longer than half of that.
const stalled = time.Second

// choice is what speaks against a lane for a new channel, the weightiest first.
type choice struct {
	late   bool   // the link owes an answer for too long
	bulk   int    // channels that a new one would wait behind
	busy   int    // channels that are not quiet
	load   int    // channels
	chosen uint64 // when it was chosen last: what ended there may still be on its way to the server
}

func (c choice) less(d choice) bool {
	switch {
	case c.late != d.late:
		return d.late
	case c.bulk != d.bulk:
		return c.bulk < d.bulk
	case c.busy != d.busy:
		return c.busy < d.busy
	case c.load != d.load:
		return c.load < d.load
	}
	return c.chosen < d.chosen
}

// best is where a new channel goes, of the lanes that have not failed it: behind as little bulk
// as can be, and then to the lane that has the least to do. nil: there is none.
func best(lanes, failed []*lane) (best *lane) {
	var least choice
	for _, n := range lanes {
		if slices.Contains(failed, n) {
			continue
		}
		if len(lanes) == 1 {
			return n
		}
		if c := n.choice(); best == nil || c.less(least) {
			best, least = n, c
		}
	}
	return best
}

// choice is called with Set.mu held.
func (n *lane) choice() choice {
	patience := stalled
	if n.rtt > 0 {
		patience = min(patience, max(2*n.rtt, 20*time.Millisecond))
	}
	load := n.load()
	return choice{n.owes(patience), n.bulk, max(load-n.quiet, 0), load, n.chosen}
}

// owes says whether the link owes an answer for longer than that.
func (n *lane) owes(patience time.Duration) bool {
	l, ok := n.link.(Stalling)
	if !ok {
		return false
	}
	since := l.Unanswered()
	return !since.IsZero() && time.Since(since) > patience
}
