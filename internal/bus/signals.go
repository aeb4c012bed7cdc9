package bus

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Match says which signals are meant. What is empty does not matter, but for Sender, which is
// always needed: a well-known name, a unique one, or that of the bus.
type Match struct {
	Sender     string
	Path       dbus.ObjectPath
	PathPrefix dbus.ObjectPath // this object and all below it
	Interface  string
	Member     string
	Arg0       string
}

// OwnerChanges is the signals that tell that a name has another owner.
func OwnerChanges(name string) Match {
	return Match{Sender: Name, Path: "/org/freedesktop/DBus", Interface: Name, Member: "NameOwnerChanged", Arg0: name}
}

// OwnerChange is what a signal of OwnerChanges tells: owner is "" where nobody has the name.
func OwnerChange(s *dbus.Signal) (name, owner string, ok bool) {
	var old string
	if s.Name != Name+".NameOwnerChanged" || dbus.Store(s.Body, &name, &old, &owner) != nil {
		return "", "", false
	}
	return name, owner, true
}

// options is the match as a rule of the bus.
func (m Match) options() []dbus.MatchOption {
	options := []dbus.MatchOption{dbus.WithMatchSender(m.Sender)}
	if m.Path != "" {
		options = append(options, dbus.WithMatchObjectPath(m.Path))
	}
	if m.PathPrefix != "" {
		options = append(options, dbus.WithMatchPathNamespace(m.PathPrefix))
	}
	if m.Interface != "" {
		options = append(options, dbus.WithMatchInterface(m.Interface))
	}
	if m.Member != "" {
		options = append(options, dbus.WithMatchMember(m.Member))
	}
	if m.Arg0 != "" {
		options = append(options, dbus.WithMatchArg(0, m.Arg0))
	}
	return options
}

// describes says whether a message is as the match says, but for its sender and arguments.
func (m Match) describes(path, iface, member string) bool {
	below := m.PathPrefix == "" || path == string(m.PathPrefix) || strings.HasPrefix(path, strings.TrimSuffix(string(m.PathPrefix), "/")+"/")
	return below && (m.Path == "" || path == string(m.Path)) &&
		(m.Interface == "" || iface == m.Interface) && (m.Member == "" || member == m.Member)
}

// hub hands signals to those who listen, and knows whom to believe. The library calls it from
// the goroutine that reads, for one message after another.
type hub struct {
	conn  *Conn
	files *fileReader // of a connection that takes files

	mu        sync.Mutex
	closed    bool
	listeners []*listener
	owners    map[string]*owner // of well-known names that somebody listens to
}

type listener struct {
	matches []Match
	f       func(*dbus.Signal)
	end     func() // the connection is lost
}

// owner is who has a name.
type owner struct {
	uses   int
	unique string
	asOf   dbus.Sequence
}

// believed says whether sender is who a match is about.
func (h *hub) believed(m Match, sender string) bool {
	if m.Sender == Name || strings.HasPrefix(m.Sender, ":") {
		return sender == m.Sender
	}
	o := h.owners[m.Sender]
	return o != nil && o.unique != "" && o.unique == sender
}

// listens says whether a signal is to be decoded: somebody listens to it, and it is believed.
func (h *hub) listens(head header) bool {
	if head.sender == Name && head.iface == Name {
		return true // NameAcquired and NameLost are the library's, NameOwnerChanged is ours
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.listeners, func(l *listener) bool {
		return slices.ContainsFunc(l.matches, func(m Match) bool {
			return h.believed(m, head.sender) && m.describes(head.path, head.iface, head.member)
		})
	})
}

// DeliverSignal is called by the library for each signal, in order.
func (h *hub) DeliverSignal(iface, member string, s *dbus.Signal) {
	h.mu.Lock()
	if name, unique, ok := OwnerChange(s); ok && s.Sender == Name {
		if o := h.owners[name]; o != nil {
			o.unique, o.asOf = unique, s.Sequence
		}
	}
	var hear []func(*dbus.Signal)
	for _, l := range h.listeners {
		if slices.ContainsFunc(l.matches, func(m Match) bool {
			return h.believed(m, s.Sender) && m.describes(string(s.Path), iface, member) &&
				(m.Arg0 == "" || len(s.Body) > 0 && s.Body[0] == m.Arg0)
		}) {
			hear = append(hear, l.f)
		}
	}
	h.mu.Unlock()
	for _, f := range hear {
		f(s)
	}
}

// Terminate is called by the library at the end of the connection.
func (h *hub) Terminate() {
	h.mu.Lock()
	h.closed = true
	listeners := h.listeners
	h.listeners = nil
	h.mu.Unlock()
	for _, l := range listeners {
		l.end()
	}
}

// Listen calls f for each signal that matches, in order, from the goroutine that reads: f must
// not block and must not call anything over this connection. It ends with stop, or with the
// connection.
func (c *Conn) Listen(ctx context.Context, f func(*dbus.Signal), matches ...Match) (stop func(), err error) {
	return c.listen(ctx, &listener{matches: matches, f: f, end: func() {}})
}

func (c *Conn) listen(ctx context.Context, l *listener) (stop func(), err error) {
	var undo []func()
	undoAll := func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}
	defer func() {
		if err != nil {
			undoAll()
		}
	}()
	// First who is to be believed, then what is told: so nothing is missed.
	for _, m := range l.matches {
		if m.Sender == Name || strings.HasPrefix(m.Sender, ":") {
			continue
		}
		if err := c.Follow(ctx, m.Sender); err != nil {
			return nil, err
		}
		undo = append(undo, func() { c.unfollow(m.Sender) })
	}
	if !c.hub.add(l) {
		return nil, context.Canceled
	}
	undo = append(undo, func() { c.hub.remove(l) })
	for _, m := range l.matches {
		if err := c.addMatch(ctx, m); err != nil {
			return nil, err
		}
		undo = append(undo, func() { c.removeMatch(m) })
	}
	return undoAll, nil
}

func (h *hub) add(l *listener) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.listeners = append(h.listeners, l)
	}
	return !h.closed
}

func (h *hub) remove(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners = slices.DeleteFunc(h.listeners, func(x *listener) bool { return x == l })
}

func (c *Conn) addMatch(ctx context.Context, m Match) error {
	return c.raw.AddMatchSignalContext(ctx, m.options()...)
}

// removeMatch takes a rule back. It does not wait: the connection may be gone.
func (c *Conn) removeMatch(m Match) {
	go func() { _ = c.raw.RemoveMatchSignalContext(c.Context(), m.options()...) }()
}

// Follow learns who has a name, for Owner, and keeps it so. Listen does it for its senders.
func (c *Conn) Follow(ctx context.Context, name string) error {
	c.hub.mu.Lock()
	if c.hub.owners == nil {
		c.hub.owners = make(map[string]*owner)
	}
	o := c.hub.owners[name]
	if o == nil {
		o = new(owner)
		c.hub.owners[name] = o
	}
	o.uses++
	c.hub.mu.Unlock()
	err := c.addMatch(ctx, OwnerChanges(name))
	if err != nil {
		c.release(name)
		return err
	}
	var unique string
	call := c.BusObject().CallWithContext(ctx, Name+".GetNameOwner", 0, name)
	if err := call.Store(&unique); err != nil && !NoOwner(err) {
		c.unfollow(name)
		return err
	}
	c.hub.mu.Lock()
	if call.ResponseSequence > o.asOf {
		o.unique, o.asOf = unique, call.ResponseSequence
	}
	c.hub.mu.Unlock()
	return nil
}

func (c *Conn) unfollow(name string) {
	c.removeMatch(OwnerChanges(name))
	c.release(name)
}

func (c *Conn) release(name string) {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if o := c.hub.owners[name]; o != nil {
		if o.uses--; o.uses == 0 {
			delete(c.hub.owners, name)
		}
	}
}

// Owner is who has a well-known name that this connection follows.
func (c *Conn) Owner(name string) string {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if o := c.hub.owners[name]; o != nil {
		return o.unique
	}
	return ""
}

// Signals is Listen with a channel, which is closed at the end of the connection. A reader
// that is slow misses nothing. After stop it gives no more and is not closed.
func (c *Conn) Signals(ctx context.Context, matches ...Match) (signals <-chan *dbus.Signal, stop func(), err error) {
	q := &queue{wake: make(chan struct{}, 1), stopped: make(chan struct{}), out: make(chan *dbus.Signal)}
	remove, err := c.listen(ctx, &listener{matches: matches, f: q.put, end: q.end})
	if err != nil {
		return nil, nil, err
	}
	go q.run()
	return q.out, sync.OnceFunc(func() { close(q.stopped); remove() }), nil
}

// queue is the signals that a reader has yet to take.
type queue struct {
	wake    chan struct{} // there may be something to take
	stopped chan struct{}
	out     chan *dbus.Signal

	mu    sync.Mutex
	list  []*dbus.Signal
	ended bool
}

func (q *queue) put(s *dbus.Signal) {
	q.mu.Lock()
	q.list = append(q.list, s)
	q.mu.Unlock()
	q.signal()
}

func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		list, ended := q.list, q.ended
		q.list = nil
		q.mu.Unlock()
		for _, s := range list {
			select {
			case q.out <- s:
			case <-q.stopped:
				return
			}
		}
		if ended {
			close(q.out)
			return
		}
		select {
		case <-q.wake:
		case <-q.stopped:
			return
		}
	}
}

// Left is Listen for the end of a connection to the bus: f is called once it has left, also
// where it has left already.
func (c *Conn) Left(ctx context.Context, unique string, f func()) (stop func(), err error) {
	once := sync.OnceFunc(f)
	stop, err = c.Listen(ctx, func(s *dbus.Signal) {
		if _, owner, ok := OwnerChange(s); ok && owner == "" {
			once()
		}
	}, OwnerChanges(unique))
	if err != nil {
		return nil, err
	}
	if there, err := c.HasOwner(ctx, unique); err == nil && !there {
		once()
	}
	return stop, nil
}
