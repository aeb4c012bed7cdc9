package forward

import (
	"sync/atomic"
	"time"
)

// Parameters of the sampler.
const (
	sampleEvery = 100 * time.Millisecond
	restAfter   = 20              // the sampler sleeps after so many looks without traffic
	bulkBytes   = 128 << 10       // a channel that moves so many bytes in about a second is bulk
	freshFor    = 2 * time.Second // how long a channel counts as fresh after it was opened
	lossWindow  = 10 * time.Second
	lossApart   = 250 * time.Millisecond // losses within this time count once
)

// Load is what the links in use carry.
type Load struct {
	Bulk      int           // bulk channels
	BulkLinks int           // links with bulk channels
	Fresh     int           // channels that were opened in the last seconds, or are being opened
	Losses    int           // how often packets were lost in the last seconds
	RTT       time.Duration // the shortest round trip to the server; 0: not known
}

// sampler samples the traffic on the lanes of a Set. It sleeps while there is none.
type sampler struct {
	state  atomic.Int32
	loads  chan Load   // cap 1
	idle   int         // looks in a row without traffic; guarded by Set.mu
	losses []time.Time // when packets were lost, within lossWindow; guarded by Set.mu
}

const (
	off int32 = iota
	asleep
	awake
)

// Watch switches the sampler on or off. It is not needed if there is always one lane.
func (s *Set) Watch(yes bool) {
	if yes {
		s.sampler.state.CompareAndSwap(off, asleep)
	} else {
		s.sampler.state.Store(off)
	}
}

// Loads receives the result of each look. Only the newest result is stored.
func (s *Set) Loads() <-chan Load { return s.sampler.loads }

// wakeSampler starts the sampler if it sleeps. It is called with each traffic, and with each new or
// ended channel.
func (s *Set) wakeSampler() {
	if s.sampler.state.Load() == asleep && s.sampler.state.CompareAndSwap(asleep, awake) {
		time.AfterFunc(sampleEvery, s.look)
	}
}

// weight is how much a relay has moved lately.
type weight struct {
	since time.Time // when the first look was
	seen  int64     // bytes in total, at the last look
	bytes int64     // bytes in about the last second
}

// look adds a sample: moved is the bytes in total. It returns whether there were new ones.
func (w *weight) look(moved int64, now time.Time) (moves bool) {
	if w.since.IsZero() {
		w.since = now
	}
	moves = moved > w.seen
	w.bytes += moved - w.seen - w.bytes/8
	w.seen = moved
	return moves
}

// note counts n bytes that were moved.
func (r *relay) note(n int) {
	r.moved.Add(int64(n))
	r.forward.set.wakeSampler()
}

// look is the sampler's timer function.
func (s *Set) look() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending || s.sampler.state.Load() != awake {
		return
	}
	var load Load
	moves, lost := false, false
	for _, n := range s.inUse {
		found, m := n.look(now)
		moves = moves || m || found.Fresh > 0
		lost = lost || found.Losses > 0
		load.Bulk += found.Bulk
		load.BulkLinks += found.BulkLinks
		load.Fresh += found.Fresh
		if found.RTT > 0 && (load.RTT == 0 || found.RTT < load.RTT) {
			load.RTT = found.RTT
		}
	}
	load.Losses = s.sampler.count(lost, now)
	if s.sampler.idle++; moves {
		s.sampler.idle = 0
	}
	select {
	case <-s.sampler.loads: // replace a result that nobody has received
	default:
	}
	s.sampler.loads <- load
	if s.sampler.idle < restAfter {
		time.AfterFunc(sampleEvery, s.look)
		return
	}
	for _, n := range s.inUse {
		n.rest()
	}
	s.sampler.idle = 0
	s.sampler.state.CompareAndSwap(awake, asleep)
}

// count records whether packets were lost now, and returns how often they were within lossWindow.
func (p *sampler) count(lost bool, now time.Time) int {
	if n := len(p.losses); lost && (n == 0 || now.Sub(p.losses[n-1]) >= lossApart) {
		p.losses = append(p.losses, now)
	}
	for len(p.losses) > 0 && now.Sub(p.losses[0]) > lossWindow {
		p.losses = p.losses[1:]
	}
	return len(p.losses)
}

// look samples the lane: what it carries now, and whether any channel has traffic. Set.mu is held.
func (n *lane) look(now time.Time) (found Load, moves bool) {
	relays := 0
	n.quiet, n.bulk = 0, 0
	n.mu.Lock()
	for r := range n.relays {
		relays++
		moved := r.weight.look(r.moved.Load(), now)
		moves = moves || moved
		switch {
		case r.weight.bytes >= bulkBytes:
			n.bulk++
		case now.Sub(r.weight.since) < freshFor:
			found.Fresh++
		case !moved:
			n.quiet++
		}
	}
	n.mu.Unlock()
	found.Fresh += max(n.load()-relays, 0)
	found.Bulk = n.bulk
	found.BulkLinks = min(n.bulk, 1)
	if rtt, lost, ok := n.link.Line(); ok {
		if n.rtt > 0 && lost > n.lost {
			found.Losses = 1
		}
		n.rtt, n.lost, found.RTT = rtt, lost, rtt
	}
	return found, moves
}

// rest forgets the samples, because the next look may be much later. Set.mu is held.
func (n *lane) rest() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.quiet, n.bulk = len(n.relays), 0
	for r := range n.relays {
		r.weight.bytes = 0
	}
}
