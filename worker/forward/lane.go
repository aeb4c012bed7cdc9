package forward

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// openGrace is how long the old link may still answer an open channel request after another link has
// replaced it. A link that works answers sooner. A connection must not wait until a dead link is
// recognized as dead.
const openGrace = 2 * time.Second

// lane is a link that is in use or drains, with everything that runs over it.
type lane struct {
	link Link
	slot *Slot // guarded by Set.mu

	ctx  context.Context // ends when the link is lost, and abandons what waits for it
	lose context.CancelFunc

	opening     context.Context // for opening channels; ends when the link is lost or replaced
	stopOpening context.CancelFunc

	// channels counts those that are open or being opened. A channel counts from the choice of its lane on, so
	// that the next choice sees it.
	channels atomic.Int64

	chosen uint64 // the number of the last channel here, from Set.counted; guarded by Set.mu

	// What the sampler last found; guarded by Set.mu.
	bulk  int           // bulk channels, see bulkBytes
	quiet int           // channels without traffic
	rtt   time.Duration // the shortest round trip; 0: not known
	lost  uint64        // packets lost so far

	mu     sync.Mutex
	relays map[*relay]struct{}
}

func newLane(link Link) *lane {
	n := &lane{link: link, relays: make(map[*relay]struct{})}
	n.ctx, n.lose = context.WithCancel(context.Background())
	n.opening, n.stopOpening = context.WithCancel(n.ctx)
	return n
}

// superseded is called when another lane takes the new channels, or the slot is closed.
func (n *lane) superseded() {
	grace := openGrace
	if n.owes(stalled) {
		grace = 0
	}
	time.AfterFunc(grace, n.stopOpening)
}

// end abandons everything that waits for the lane, and resets its connections.
func (n *lane) end() {
	n.lose()
	n.mu.Lock()
	defer n.mu.Unlock()
	for r := range n.relays {
		r.abort()
	}
}

// load is how many channels are open or being opened.
func (n *lane) load() int { return int(n.channels.Load()) }

// add records a relay. It returns false if the lane has ended.
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

// alive says whether the link works, so that the end of a channel is the end of its data.
func (n *lane) alive() bool { return n.ctx.Err() == nil && n.link.Alive() }
