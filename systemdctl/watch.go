package systemdctl

import (
	"context"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// maxPending is how many names a watch remembers for a reader that is busy; past it
// they become one "look at all".
const maxPending = 1024

// signals is what systemd tells of units. It announces a change twice, for the unit's own
// interface and then for Unit; it always sends the second, so that alone is asked for.
var signals = []bus.Match{
	{Sender: busName, Interface: managerInterface, Member: "UnitNew"},
	{Sender: busName, Interface: managerInterface, Member: "UnitRemoved"},
	{Sender: busName, Interface: managerInterface, Member: "JobRemoved"},
	{Sender: busName, Interface: managerInterface, Member: "Reloading"},
	{Sender: busName, PathPrefix: "/org/freedesktop/systemd1/unit", Interface: propsInterface, Member: "PropertiesChanged", Arg0: unitInterface},
	bus.OwnerChanges(busName),
}

// subscribe asks systemd for its signals and the bus to pass the useful ones on.
func (c *Conn) subscribe(ctx context.Context) error {
	hints, _, err := c.bus.Signals(ctx, signals...)
	if err != nil {
		return err
	}
	go c.dispatch(hints)
	return c.call(ctx, "Subscribe").Err
}

// dispatch hands every signal to every watch until the connection ends. It never
// waits for a reader.
func (c *Conn) dispatch(signals <-chan *dbus.Signal) {
	for signal := range signals {
		// A manager that executes itself anew keeps its subscribers; one that died does not.
		if _, owner, ok := bus.OwnerChange(signal); ok && owner != "" {
			c.call(c.bus.Context(), "Subscribe")
			select {
			case c.joined <- struct{}{}:
			default:
			}
		}
		if unit, ok := hintOf(signal); ok {
			c.watches.tell(unit)
		}
	}
	c.watches.close()
}

// hintOf is the name of the unit that a signal is about, "" when it is about all.
func hintOf(s *dbus.Signal) (unit string, ok bool) {
	text := func(i int) (string, bool) {
		if i >= len(s.Body) {
			return "", false
		}
		t, ok := s.Body[i].(string)
		return t, ok
	}
	switch s.Name {
	case managerInterface + ".UnitNew", managerInterface + ".UnitRemoved":
		return text(0)
	case managerInterface + ".JobRemoved":
		return text(2)
	case propsInterface + ".PropertiesChanged":
		return nameOfPath(s.Path)
	}
	return "", true
}

// Watch gives the names of units to look at again, of those that match says yes to;
// "" means all of them. Names are hints: many changes of a unit become one, and
// nothing need have changed. No change is lost, however slow the reader: past 1024
// names that wait it is told to look at all instead.
//
// The first value is "". A change before it was seen by whoever looks after it. The
// channel is closed when the context or the connection ends. Match is called from
// the connection's own goroutine and must not block.
func (c *Conn) Watch(ctx context.Context, match func(unit string) bool) <-chan string {
	w := &watch{match: match, wake: make(chan struct{}, 1)}
	w.tell("")
	hints := make(chan string)
	if !c.watches.add(w) {
		close(hints)
		return hints
	}
	go func() {
		defer close(hints)
		defer c.watches.remove(w)
		for {
			unit, ok := w.next()
			if !ok {
				select {
				case <-w.wake:
					continue
				case <-ctx.Done():
				case <-c.Done():
				}
				return
			}
			select {
			case hints <- unit:
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			}
		}
	}()
	return hints
}

// watches is the set of watches of a connection.
type watches struct {
	mu     sync.Mutex
	set    map[*watch]bool
	closed bool
}

func (ws *watches) add(w *watch) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return false
	}
	if ws.set == nil {
		ws.set = make(map[*watch]bool)
	}
	ws.set[w] = true
	return true
}

func (ws *watches) remove(w *watch) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.set, w)
}

func (ws *watches) tell(unit string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.set {
		w.tell(unit)
	}
}

func (ws *watches) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	clear(ws.set)
}

// watch is what one reader has yet to be told.
type watch struct {
	match func(string) bool
	wake  chan struct{} // cap 1: there may be something to tell

	mu      sync.Mutex
	all     bool
	pending []string // in the order they came
	waiting map[string]bool
}

func (w *watch) tell(unit string) {
	if unit != "" && !w.match(unit) {
		return
	}
	w.mu.Lock()
	switch {
	case w.all || w.waiting[unit]:
	case unit == "" || len(w.pending) == maxPending:
		w.all, w.pending, w.waiting = true, nil, nil
	default:
		if w.waiting == nil {
			w.waiting = make(map[string]bool)
		}
		w.waiting[unit] = true
		w.pending = append(w.pending, unit)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next takes the oldest hint.
func (w *watch) next() (unit string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all {
		w.all = false
		return "", true
	}
	if len(w.pending) == 0 {
		return "", false
	}
	unit = w.pending[0]
	w.pending = w.pending[1:]
	delete(w.waiting, unit)
	return unit, true
}
