package bus

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Match says which signals to listen to. Sender is required: a well-known name, a unique name, or
// the bus. Of the other fields, "" matches everything.
type Match struct {
	Sender     string
	Path       dbus.ObjectPath
	PathPrefix dbus.ObjectPath // this object and all below it
	Interface  string
	Member     string
	Arg0       string
}

// OwnerChanges matches the signals that announce a new owner of a name.
func OwnerChanges(name string) Match {
	return Match{Sender: Name, Path: "/org/freedesktop/DBus", Interface: Name, Member: "NameOwnerChanged", Arg0: name}
}

// OwnerChange is the content of a signal of OwnerChanges. owner is "" if nobody has the name.
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
	for _, term := range [][2]string{
		{"path", string(m.Path)}, {"path_namespace", string(m.PathPrefix)},
		{"interface", m.Interface}, {"member", m.Member}, {"arg0", m.Arg0},
	} {
		if term[1] != "" {
			options = append(options, dbus.WithMatchOption(term[0], term[1]))
		}
	}
	return options
}

// describes says whether the match fits a message, apart from its sender and arguments.
func (m Match) describes(path, iface, member string) bool {
	below := m.PathPrefix == "" || path == string(m.PathPrefix) || strings.HasPrefix(path, strings.TrimSuffix(string(m.PathPrefix), "/")+"/")
	return below && (m.Path == "" || path == string(m.Path)) &&
		(m.Interface == "" || iface == m.Interface) && (m.Member == "" || member == m.Member)
}

// hub delivers signals to listeners, and knows which senders to believe. godbus calls it from the
// goroutine that reads, for one message after another.
type hub struct {
	conn  *Conn
	files *fileReader // nil if the connection accepts no files

	mu        sync.Mutex
	closed    bool
	listeners []*listener
	owners    map[string]*owner // of the well-known names that listeners need
}

type listener struct {
	matches []Match
	f       func(*dbus.Signal)
	end     func() // the connection is lost
}

// owner is the connection that has a name.
type owner struct {
	uses   int
	unique string
	asOf   dbus.Sequence
}

// believed says whether sender is the sender that a match names.
func (h *hub) believed(m Match, sender string) bool {
	if m.Sender == Name || strings.HasPrefix(m.Sender, ":") {
		return sender == m.Sender
	}
	o := h.owners[m.Sender]
	return o != nil && o.unique != "" && o.unique == sender
}

// listens says whether to decode a signal: a listener wants it, and its sender is believed.
func (h *hub) listens(head header) bool {
	if head.sender == Name && head.iface == Name {
		return true // godbus needs NameAcquired and NameLost, the hub needs NameOwnerChanged
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.listeners, func(l *listener) bool {
		return slices.ContainsFunc(l.matches, func(m Match) bool {
			return h.believed(m, head.sender) && m.describes(head.path, head.iface, head.member)
		})
	})
}

// DeliverSignal delivers a signal. godbus calls it for each, in order.
func (h *hub) DeliverSignal(iface, member string, s *dbus.Signal) {
	h.mu.Lock()
	if name, unique, ok := OwnerChange(s); ok && s.Sender == Name {
		if o := h.owners[name]; o != nil {
			o.unique, o.asOf = unique, s.Sequence
		}
	}
	var wanting []func(*dbus.Signal)
	for _, l := range h.listeners {
		if slices.ContainsFunc(l.matches, func(m Match) bool {
			return h.believed(m, s.Sender) && m.describes(string(s.Path), iface, member) &&
				(m.Arg0 == "" || len(s.Body) > 0 && s.Body[0] == m.Arg0)
		}) {
			wanting = append(wanting, l.f)
		}
	}
	h.mu.Unlock()
	for _, f := range wanting {
		f(s)
	}
}

// Terminate ends all listeners. godbus calls it at the end of the connection.
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

// Listen calls f for each signal that matches, in order, from the goroutine that reads: f must not
// block, and must not use this connection. It ends with stop, or with the connection.
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
	// Learn whom to believe before the first signal can come, so that none is missed.
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

// removeMatch removes a rule. It does not wait, because the connection may be gone.
func (c *Conn) removeMatch(m Match) {
	go func() { _ = c.raw.RemoveMatchSignalContext(c.Context(), m.options()...) }()
}

// Follow learns who has a name, for Owner, and follows its changes. Listen does it for its senders.
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

// Owner is the unique name of the owner of a well-known name that this connection follows; "" if
// nobody has it.
func (c *Conn) Owner(name string) string {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
	if o := c.hub.owners[name]; o != nil {
		return o.unique
	}
	return ""
}

// Signals is Listen with a channel. A slow reader misses nothing. The channel is closed at the end of
// the connection. After stop it delivers nothing more, and is not closed.
func (c *Conn) Signals(ctx context.Context, matches ...Match) (signals <-chan *dbus.Signal, stop func(), err error) {
	in, out := make(chan *dbus.Signal), make(chan *dbus.Signal)
	ended, stopped := make(chan struct{}), make(chan struct{})
	put := func(s *dbus.Signal) {
		select {
		case in <- s:
		case <-ended:
		case <-stopped:
		}
	}
	go queue(in, out, ended, stopped) // a signal may come before listen returns
	remove, err := c.listen(ctx, &listener{matches: matches, f: put, end: func() { close(ended) }})
	if err != nil {
		close(stopped)
		return nil, nil, err
	}
	return out, sync.OnceFunc(func() { close(stopped); remove() }), nil
}

// queue passes on signals, and stores those that the reader has not taken yet.
func queue(in <-chan *dbus.Signal, out chan<- *dbus.Signal, ended, stopped <-chan struct{}) {
	var stored []*dbus.Signal
	for ended != nil || len(stored) > 0 {
		var first *dbus.Signal
		var reader chan<- *dbus.Signal // nil if there is nothing to pass on
		if len(stored) > 0 {
			first, reader = stored[0], out
		}
		select {
		case s := <-in:
			stored = append(stored, s)
		case reader <- first:
			stored[0] = nil // not kept in memory until the next burst
			stored = stored[1:]
		case <-ended:
			ended = nil
		case <-stopped:
			return
		}
	}
	close(out)
}

// Left calls f once when another connection leaves the bus, also if it has left already.
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
