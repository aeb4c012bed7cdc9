package forward

import (
	"slices"
	"time"
)

// stalled is how long a link may owe an answer before another link is preferred. If its round trip is
// known and short, lane.choice uses a shorter time.
const stalled = time.Second

// choice is the reasons against a lane for a new channel, the most important first.
type choice struct {
	late   bool   // the link has owed an answer for too long
	bulk   int    // bulk channels, behind which a new one would wait
	busy   int    // channels that are not quiet
	load   int    // channels
	chosen uint64 // when it was last chosen: the end of that channel may not have reached the server yet
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

// best is the lane for a new channel, of those that have not failed it; nil if there is none. It prefers
// the lane with the fewest bulk channels, and then the one with the least to do.
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

// choice computes the reasons against a lane. Set.mu is held.
func (n *lane) choice() choice {
	patience := stalled
	if n.rtt > 0 {
		patience = min(patience, max(2*n.rtt, 20*time.Millisecond))
	}
	load := n.load()
	return choice{n.owes(patience), n.bulk, max(load-n.quiet, 0), load, n.chosen}
}

// owes says whether the link has owed an answer for longer than patience.
func (n *lane) owes(patience time.Duration) bool {
	since := n.link.Unanswered()
	return !since.IsZero() && time.Since(since) > patience
}
