package forward

import (
	"context"
	"net"
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
	slot *Slot // guarded by Set.mu

	ctx  context.Context // ends when the link is lost: whatever waits for it is abandoned
	lose context.CancelFunc

	opening     context.Context // for opening channels; ends too when the lane is left for another
	stopOpening context.CancelFunc

	channels atomic.Int64 // open or being opened

	chosen uint64 // the last channel that was put here, as the Set counts them; guarded by Set.mu

	// Of the sampler's last look; guarded by Set.mu.
	bulk  int           // channels that move much
	quiet int           // channels that move nothing
	rtt   time.Duration // the shortest round trip; 0: not known
	lost  uint64        // packets

	mu     sync.Mutex
	relays map[*relay]struct{}
}

func newLane(link Link) *lane {
	n := &lane{link: link, relays: make(map[*relay]struct{})}
	n.ctx, n.lose = context.WithCancel(context.Background())
	n.opening, n.stopOpening = context.WithCancel(n.ctx)
	return n
}

// superseded is called when another lane takes the new channels.
func (n *lane) superseded() {
	grace := openGrace
	if n.owes(stalled) {
		grace = 0
	}
	time.AfterFunc(grace, n.stopOpening)
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
