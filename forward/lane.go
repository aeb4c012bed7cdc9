package forward

import (
	"context"
	"net"
	"sync"
	"time"
)

// openGrace is how long a channel that was being opened when another link took over
// may still be answered on the old one. A link that was changed by choice answers
// well within it; on one that is dead the connection must not wait for the verdict.
const openGrace = 2 * time.Second

// lane is a link in use, or one that was and drains, with what runs over it.
type lane struct {
	link Link

	ctx  context.Context // ends when the link is lost: whatever waits for it is abandoned
	lose context.CancelFunc

	opening     context.Context // for opening channels; ends too when the lane is left for another
	stopOpening context.CancelFunc

	mu      sync.Mutex
	relays  map[*relay]struct{}
	pending int // channels being opened
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
	if l, ok := n.link.(Stalling); ok {
		if since := l.Unanswered(); !since.IsZero() && time.Since(since) > stalled {
			grace = 0
		}
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

// enter notes a relay, unless the lane has ended.
func (n *lane) enter(r *relay) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return false
	}
	n.relays[r] = struct{}{}
	return true
}

func (n *lane) leave(r *relay) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.relays, r)
}

// open is DialContext, counted.
func (n *lane) open(t target) (net.Conn, error) {
	n.addPending(1)
	defer n.addPending(-1)
	return n.link.DialContext(n.opening, t.network, t.addr)
}

func (n *lane) addPending(d int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending += d
}

// load is how many channels are open or being opened.
func (n *lane) load() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.relays) + n.pending
}

// alive says whether an end that a channel met can be believed.
func (n *lane) alive() bool {
	if n.ctx.Err() != nil {
		return false
	}
	l, ok := n.link.(Liveness)
	return !ok || l.Alive()
}
