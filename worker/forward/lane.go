package forward

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// openGrace is how long a channel that was being opened when another link took over
// may still be answered on the old one. A link that was changed by choice answers
// well within it; on one that is dead the connection must not wait for the verdict.
const openGrace = 2 * time.Second

// lane is a link in use, or one that was and drains, with what runs over it.
type lane struct {
	link Link
	slot int // among the links in use at once; guarded by Set.mu

	ctx  context.Context // ends when the link is lost: whatever waits for it is abandoned
	lose context.CancelFunc

	opening     context.Context // for opening channels; ends too when the lane is left for another
	stopOpening context.CancelFunc

	channels atomic.Int64 // open or being opened

	mu     sync.Mutex
	relays map[*relay]struct{}
}

func newLane(link Link) *lane {
	n := &lane{link: link, relays: make(map[*relay]struct{})}
	n.ctx, n.lose = context.WithCancel(context.Background())
	n.opening, n.stopOpening = context.WithCancel(n.ctx)
	return n
}

// stalled is how long a link may owe an answer and still get openGrace.
const stalled = time.Second

// superseded is called when another lane takes the new channels.
func (n *lane) superseded() {
	grace := openGrace
	if n.stalls() {
		grace = 0
	}
	time.AfterFunc(grace, n.stopOpening)
}

// stalls says whether the link owes an answer for too long.
func (n *lane) stalls() bool {
	l, ok := n.link.(Stalling)
	if !ok {
		return false
	}
	since := l.Unanswered()
	return !since.IsZero() && time.Since(since) > stalled
}

// leastLoaded is where a new channel goes: of the lanes that have not failed it, the one with
// the fewest channels, the first of several; one that stalls only where all do. nil: none.
func leastLoaded(lanes, failed []*lane) (least *lane) {
	var stalls bool
	var load int
	for _, n := range lanes {
		switch {
		case slices.Contains(failed, n):
			continue
		case len(lanes) == 1:
			return n
		}
		s, l := n.stalls(), n.load()
		if least == nil || stalls && !s || stalls == s && l < load {
			least, stalls, load = n, s, l
		}
	}
	return least
}

// end abandons everything that waits for the lane and resets its connections.
func (n *lane) end() {
	n.lose()
	n.mu.Lock()
	defer n.mu.Unlock()
	for r := range n.relays {
		r.abort()
	}
}

// enter and leave count channels, from the choice of the lane on: what is chosen next
// must see it.
func (n *lane) enter() { n.channels.Add(1) }

func (n *lane) leave() { n.channels.Add(-1) }

// load is how many channels are open or being opened.
func (n *lane) load() int { return int(n.channels.Load()) }

// add notes a relay, unless the lane has ended.
func (n *lane) add(r *relay) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return false
	}
	n.relays[r] = struct{}{}
	return true
}

func (n *lane) remove(r *relay) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.relays, r)
}

func (n *lane) open(t target) (net.Conn, error) {
	return n.link.DialContext(n.opening, t.network, t.addr)
}

// alive says whether an end that a channel met can be believed.
func (n *lane) alive() bool {
	if n.ctx.Err() != nil {
		return false
	}
	l, ok := n.link.(Liveness)
	return !ok || l.Alive()
}
