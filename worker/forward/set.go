package forward

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Set serves a tunnel's forwards. Its methods may be called from any goroutine.
type Set struct {
	config  atomic.Pointer[Config]
	log     *slog.Logger
	store   func(string, net.Listener)
	unstore func(string)
	changed func() // call it without a lock
	pace    pace   // of refused binds; nil: bind.pace decides

	busy      atomic.Int64  // connections that are open, pending or being opened
	idleSince atomic.Int64  // Unix nanoseconds; when busy was last zero
	idle      chan struct{} // a token each time busy becomes zero
	arrivals  atomic.Uint64
	checkNow  chan struct{} // a token: there is a new link

	serving     chan struct{} // closed by Serve
	startServes sync.Once
	running     sync.WaitGroup // accept loops and connections

	applying sync.Mutex // one Apply at a time

	mu         sync.Mutex
	forwards   []*forward
	retired    []*forward // removed from the file; their counters still count
	unowned    []*port    // the service manager's sockets without a forward: they reset
	inUse      []*lane    // lanes for new channels, one for each slot, the oldest first; empty while there is no link
	sampler    sampler    // samples what the lanes carry
	turn       uint64     // counts the lanes that came into use
	lanes      map[Link]*lane
	channels   int     // in use on all lanes
	counted    uint64  // channels ever in use
	refusing   refusal // why connections may not wait; the zero value if they may
	pending    pendingQueue
	closed     bool // no new connections: Close or HandOver was called
	handedOver bool // HandOver was called: accepted connections are still served
	ending     bool // Close was called
	stopCheck  context.CancelFunc

	absentTimer *time.Timer // to listen for absent forwards; guarded by applying
}

// New opens the local listeners, or takes inherited ones. New connections wait until Use brings a link.
// Its error names the forward: "LocalForward 5432: address already in use (held by postgres, pid 812)".
func New(c Config) (*Set, error) {
	s := &Set{
		log:      c.Log,
		store:    c.Store,
		unstore:  c.Unstore,
		changed:  c.Changed,
		idle:     make(chan struct{}, 1),
		serving:  make(chan struct{}),
		checkNow: make(chan struct{}, 1),
		lanes:    make(map[Link]*lane),
		sampler:  sampler{loads: make(chan Load, 1)},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.changed == nil {
		s.changed = func() {}
	}
	s.idleSince.Store(time.Now().UnixNano())
	var inherited []*port
	for _, l := range c.Inherited {
		inherited = append(inherited, &port{listener: l, inherited: true})
	}
	s.unowned = inherited
	if err := s.Apply(c); err != nil {
		return nil, err
	}
	for _, p := range inherited {
		s.running.Go(func() { p.accept(s) })
	}
	if !c.Dormant {
		s.Serve()
	}
	return s, nil
}

// Serve begins to accept, if Config.Dormant was set.
func (s *Set) Serve() { s.startServes.Do(func() { close(s.serving) }) }

// linked says whether there is a link.
func (s *Set) linked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inUse) > 0
}

// laneFor is the lane for a visitor's channel; nil if there is none, or if all have failed this visitor
// since the last lane came into use. s.mu is held.
func (s *Set) laneFor(v *visitor) *lane {
	if v.turn != s.turn {
		v.turn, v.failed = s.turn, nil
	}
	return best(s.inUse, v.failed)
}

// first is the oldest lane in use, which has the remote forwards; nil if there is none. s.mu is held.
func (s *Set) first() *lane {
	if len(s.inUse) == 0 {
		return nil
	}
	return s.inUse[0]
}

// leave ends the count of a connection in busy.
func (s *Set) leave() {
	if s.busy.Add(-1) > 0 {
		return
	}
	s.idleSince.Store(time.Now().UnixNano())
	token(s.idle)
}

// Use makes l the slot's link for new channels. The slot's previous link drains. A new channel goes to
// the link with the least to do, of all slots.
//
// Pending connections are served in the order of arrival. Remote forwards are on the oldest link. If l
// replaces that one, they are cancelled there and bound on l, and Use returns when the server has
// answered each bind. A refused bind is no error, but the state of its forward. Another Use of the same
// link tries refused binds again at once.
//
// The error is that of ctx, [net.ErrClosed] if the Set is closed, or context.Canceled if l was lost
// meanwhile. The caller must give every link that it gave to Use to Lost in the end.
func (slot *Slot) Use(ctx context.Context, l Link) error {
	s := slot.set
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	if slot.closed {
		s.mu.Unlock()
		return nil // the slot's keeper is about to be retired
	}
	n := s.lanes[l]
	if n == nil {
		n = newLane(l)
		s.lanes[l] = n
	}
	n.slot = slot
	if i := slices.IndexFunc(s.inUse, func(o *lane) bool { return o.slot == slot }); i < 0 {
		s.inUse = append(s.inUse, n)
		s.turn++
	} else if o := s.inUse[i]; o != n {
		o.superseded()
		s.inUse[i] = n
		s.turn++
	}
	waiting := s.pending.take()
	var answers []<-chan struct{}
	if s.first() == n {
		answers = s.moveBinds(n)
	}
	s.running.Add(1)
	defer s.running.Done()
	s.mu.Unlock()

	s.release(waiting)
	s.changed()
	if err := awaitAll(ctx, answers); err != nil {
		return err
	}
	token(s.checkNow)
	return n.ctx.Err()
}

// moveBinds moves each remote forward to a lane, or nowhere if n is nil. Each returned channel is closed when
// the server has answered a bind. s.mu is held.
func (s *Set) moveBinds(n *lane) []<-chan struct{} {
	var answers []<-chan struct{}
	for _, b := range s.binds() {
		answers = append(answers, b.moveTo(n))
	}
	return answers
}

// awaitAll waits until all channels are closed. Its error is that of ctx.
func awaitAll(ctx context.Context, answers []<-chan struct{}) error {
	for _, answered := range answers {
		select {
		case <-answered:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// withdraw takes lanes out of use, and moves the remote forwards if the first lane was among them. s.mu
// is held.
func (s *Set) withdraw(which func(*lane) bool) {
	first := s.first()
	s.inUse = slices.DeleteFunc(s.inUse, which)
	if s.first() != first {
		s.moveBinds(s.first())
	}
}

// Lost says that l is dead. Its connections are reset. Remote forwards on it move to the next oldest
// link in use. If there is no other link in use, new local connections wait until the next Use. The
// caller closes l.
func (s *Set) Lost(l Link) {
	s.mu.Lock()
	n := s.lanes[l]
	delete(s.lanes, l)
	inUse := slices.Contains(s.inUse, n)
	if inUse {
		s.withdraw(func(o *lane) bool { return o == n })
	}
	s.mu.Unlock()
	if n != nil {
		n.end()
	}
	if inUse {
		s.changed()
	}
}

// refusal is why there will be no link.
type refusal struct {
	reason fault.Reason
	text   string
}

// Refuse resets pending and new local connections at once, as long as there is no link for them. The
// report shows reason and text.
func (s *Set) Refuse(reason fault.Reason, text string) {
	s.mu.Lock()
	s.refusing = refusal{reason, text}
	gone := s.pending.take()
	s.mu.Unlock()
	s.dismissAll(gone)
	s.changed()
}

// Accept ends Refuse: new local connections may wait again.
func (s *Set) Accept() {
	s.mu.Lock()
	s.refusing = refusal{}
	s.mu.Unlock()
	s.changed()
}

// Report is the state and the counters of each forward, in the order of the file.
func (s *Set) Report() []tunnelfile.ForwardReport {
	s.mu.Lock()
	forwards, linked, refusing := slices.Clone(s.forwards), len(s.inUse) > 0, s.refusing
	s.mu.Unlock()
	reports := make([]tunnelfile.ForwardReport, len(forwards))
	for i, f := range forwards {
		reports[i] = f.report(linked, refusing)
	}
	return reports
}

// Totals are the sums over all forwards since New.
func (s *Set) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Totals{Held: int64(len(s.pending.waiting))}
	for _, list := range [][]*forward{s.forwards, s.retired} {
		for _, f := range list {
			t.ChannelsOpen += f.open.Load()
			t.ChannelsTotal += f.total.Load()
			t.Refused += f.refused.Load()
			t.BytesSent += f.sent.Load()
			t.BytesReceived += f.received.Load()
		}
	}
	return t
}

// Load is how many channels are open or being opened on l. It is 0 for a link that was never used, or is
// lost.
func (s *Set) Load(l Link) int {
	s.mu.Lock()
	n := s.lanes[l]
	s.mu.Unlock()
	if n == nil {
		return 0
	}
	return n.load()
}

// Idle receives a token each time the last open or pending connection has ended.
func (s *Set) Idle() <-chan struct{} { return s.idle }

// IdleSince is when the last connection ended, or when the Set was made if there was none. It is zero while a
// connection is open or pending.
func (s *Set) IdleSince() time.Time {
	if s.busy.Load() > 0 {
		return time.Time{}
	}
	return time.Unix(0, s.idleSince.Load())
}

// cutPatience is how long Close waits after it has cut the connections, because a link may not answer
// any more. The end of the link ends the rest.
const cutPatience = time.Second

// Close stops listening, resets pending connections, and waits for open ones until ctx ends. Then it
// cuts the rest. After HandOver it also waits for pending connections. Its error is that of ctx if it
// cut any. Listeners in the service manager's store stay there.
func (s *Set) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.ending {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.ending = true
	var pending []*visitor
	if !s.handedOver {
		s.stopServing((*port).close)
		pending = s.pending.take()
	}
	binds := s.binds()
	s.mu.Unlock()

	for _, b := range binds {
		b.stop()
	}
	s.dismissAll(pending)

	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	lanes := s.lanes
	s.lanes, s.inUse = nil, nil
	pending = s.pending.take()
	s.mu.Unlock()
	s.dismissAll(pending)
	for _, n := range lanes {
		n.end()
	}
	select {
	case <-ended:
	case <-time.After(cutPatience):
	}
	return ctx.Err()
}
