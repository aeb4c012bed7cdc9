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
	config   atomic.Pointer[Config]
	log      *slog.Logger
	store    func(string, net.Listener)
	unstore  func(string)
	onChange func()
	pace     pace // of refused binds; nil: by who holds the port

	busy      atomic.Int64  // connections open, pending or on their way
	idleSince atomic.Int64  // Unix nanoseconds; when busy was last zero
	idle      chan struct{} // a token each time busy gets to zero
	arrivals  atomic.Uint64
	checkNow  chan struct{} // a token: there is a new link

	serving     chan struct{} // closed by Serve
	startServes sync.Once
	running     sync.WaitGroup // accept loops and connections

	applying sync.Mutex // one Apply at a time

	mu         sync.Mutex
	forwards   []*forward
	retired    []*forward // gone from the file; their counters still count
	spare      []*port    // the service manager's, wanted by no forward: they reset
	inUse      []*lane    // where new channels go, one for each slot, the oldest first; empty while there is no link
	sampler    sampler    // looks at what the lanes carry
	turn       uint64     // counts what came into use
	lanes      map[Link]*lane
	channels   int     // in use, of all lanes
	counted    uint64  // channels so far
	refusing   refusal // why nobody may wait; the zero value while they may
	pending    pendingQueue
	closed     bool // it serves nobody who is new: Close or HandOver was called
	handedOver bool // another process has the listeners; who was accepted here is still served
	ending     bool // Close was called
	stopCheck  context.CancelFunc

	absentTimer *time.Timer // to listen for absent forwards; owned by who holds applying
}

// New opens the local listeners, or takes those that are inherited, and keeps what
// connects waiting until Use brings a link. Its error names the forward:
// "LocalForward 5432: address already in use (held by postgres, pid 812)".
func New(c Config) (*Set, error) {
	s := &Set{
		log:      c.Log,
		store:    c.Store,
		unstore:  c.Unstore,
		onChange: c.Changed,
		idle:     make(chan struct{}, 1),
		serving:  make(chan struct{}),
		checkNow: make(chan struct{}, 1),
		lanes:    make(map[Link]*lane),
		sampler:  sampler{loads: make(chan Load, 1)},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.idleSince.Store(time.Now().UnixNano())
	var inherited []*port
	for _, l := range c.Inherited {
		inherited = append(inherited, &port{listener: l, inherited: true})
	}
	s.spare = inherited
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

// Serve begins to accept, where the Config said Dormant.
func (s *Set) Serve() { s.startServes.Do(func() { close(s.serving) }) }

// changed calls the hook. No lock may be held.
func (s *Set) changed() {
	if s.onChange != nil {
		s.onChange()
	}
}

// linked says whether there is a link.
func (s *Set) linked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inUse) > 0
}

// laneFor is the lane for a visitor's channel; nil: there is none but those that have failed
// it since the last one came into use. s.mu is held.
func (s *Set) laneFor(v *visitor) *lane {
	if v.turn != s.turn {
		v.turn, v.failed = s.turn, nil
	}
	return best(s.inUse, v.failed)
}

// first is where remote forwards live: the oldest lane in use. s.mu is held.
func (s *Set) first() *lane {
	if len(s.inUse) == 0 {
		return nil
	}
	return s.inUse[0]
}

// enter and leave count connections, pending ones too.
func (s *Set) enter() { s.busy.Add(1) }

func (s *Set) leave() {
	if s.busy.Add(-1) > 0 {
		return
	}
	s.idleSince.Store(time.Now().UnixNano())
	token(s.idle)
}

// Use makes l a link that new channels go to, and the only one of the slot: the link
// that was there before drains. Of the links of all slots a new channel goes to the one
// that has the least to do.
//
// Connections that waited are served in order of arrival. Remote forwards live on the
// oldest link: where l takes its slot they move, cancelled there, bound on l, and Use
// returns when the server has answered each bind; a refused one is no error but the state
// of that forward. Using that link again tries refused binds at once.
//
// The error is ctx's, or that another call to Use or Lost made this one pointless.
// Whatever is given to Use is given to Lost in the end.
func (slot *Slot) Use(ctx context.Context, l Link) error {
	s := slot.set
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	if slot.closed {
		s.mu.Unlock()
		return nil // whoever made the link is about to hear so
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
		answers = s.moveBinds()
	}
	s.running.Add(1)
	defer s.running.Done()
	s.mu.Unlock()

	s.release(waiting)
	s.changed()
	for _, answered := range answers {
		select {
		case <-answered:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	token(s.checkNow)
	return n.ctx.Err()
}

// moveBinds puts each remote forward on the lane where they live, and returns what is
// closed when the server has answered there. s.mu is held.
func (s *Set) moveBinds() []<-chan struct{} {
	var answers []<-chan struct{}
	for _, f := range s.forwards {
		if f.bind != nil {
			answers = append(answers, f.bind.moveTo(s.first()))
		}
	}
	return answers
}

// withdraw takes lanes out of use. s.mu is held.
func (s *Set) withdraw(which func(*lane) bool) {
	first := s.first()
	s.inUse = slices.DeleteFunc(s.inUse, which)
	if s.first() != first {
		s.moveBinds()
	}
}

// Lost says that l is dead: its connections are reset. If it was in use, remote forwards
// that lived on it move to the next oldest; with the last one in use, new local
// connections wait until the next Use. The caller closes l.
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

// Refuse resets pending and new local connections at once, for as long as there is no
// link to serve them; reason and text show in the report.
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

// Load is how many channels are open on l or being opened. It is 0 for a link that was
// never used, or is lost.
func (s *Set) Load(l Link) int {
	s.mu.Lock()
	n := s.lanes[l]
	s.mu.Unlock()
	if n == nil {
		return 0
	}
	return n.load()
}

// Idle receives a token each time the last open or pending connection ended.
func (s *Set) Idle() <-chan struct{} { return s.idle }

// IdleSince is when the last connection ended, or when the Set was made if there
// was none; zero while any is open or pending.
func (s *Set) IdleSince() time.Time {
	if s.busy.Load() > 0 {
		return time.Time{}
	}
	return time.Unix(0, s.idleSince.Load())
}

// cutPatience is how long Close waits, once it has cut what was left, for a link that
// answers no more. Closing the link ends what is left.
const cutPatience = time.Second

// Close stops listening, resets what is pending, waits for open connections until ctx
// ends, and then cuts those that are left. After HandOver it waits for what is pending too.
// Its error is ctx's if it cut any. Listeners in the service manager's store stay there.
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
