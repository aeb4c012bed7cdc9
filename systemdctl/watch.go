package systemdctl

import (
	"context"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// maxPending is how many names a watch stores for a busy reader. More become one hint about all
// units.
const maxPending = 1024

// signals are systemd's signals about units. It announces a change twice, for the interface of the
// unit's type and for Unit. It always sends the second, so only that is asked for.
var signals = []bus.Match{
	{Sender: busName, Interface: managerInterface, Member: "UnitNew"},
	{Sender: busName, Interface: managerInterface, Member: "UnitRemoved"},
	{Sender: busName, Interface: managerInterface, Member: "JobRemoved"},
	{Sender: busName, Interface: managerInterface, Member: "Reloading"},
	{Sender: busName, PathPrefix: "/org/freedesktop/systemd1/unit", Interface: bus.PropertiesInterface, Member: "PropertiesChanged", Arg0: unitInterface},
	bus.OwnerChanges(busName),
}

// hintOf is the name of the unit that a signal is about, "" if it is about all.
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
	case bus.PropertiesInterface + ".PropertiesChanged":
		return nameOfPath(s.Path)
	}
	return "", true
}

// Watch sends the names of units that may have changed, and that match accepts; "" means all of
// them. Names are hints: several changes of a unit become one name, and a unit may not have
// changed at all. No change is lost, even if the reader is slow: instead of more than 1024 names
// it gets one "".
//
// The first value is "". A reader that reads the units after it sees every earlier change. The
// channel is closed when the context or the connection ends. match is called from the connection's
// goroutine, and must not block.
func (c *Conn) Watch(ctx context.Context, match func(unit string) bool) <-chan string {
	w := &watch{match: match, wake: make(chan struct{}, 1)}
	hints := make(chan string)
	go func() {
		defer close(hints)
		stop, err := c.bus.Listen(ctx, func(s *dbus.Signal) {
			if unit, ok := hintOf(s); ok {
				w.add(unit)
			}
		}, signals...)
		if err != nil {
			return
		}
		defer stop()
		w.add("")
		for {
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			case <-c.Done():
				return
			}
			for unit, ok := w.next(); ok; unit, ok = w.next() {
				if unit == "" {
					// A manager that was started again has forgotten its subscribers.
					c.call(ctx, "Subscribe")
				}
				select {
				case hints <- unit:
				case <-ctx.Done():
					return
				case <-c.Done():
					return
				}
			}
		}
	}()
	return hints
}

// watch is the hints that a reader has not taken yet.
type watch struct {
	match func(string) bool
	wake  chan struct{} // cap 1: there may be a hint

	mu      sync.Mutex
	all     bool
	pending []string // oldest first
}

func (w *watch) add(unit string) {
	if unit != "" && !w.match(unit) {
		return
	}
	w.mu.Lock()
	switch {
	case w.all || slices.Contains(w.pending, unit):
	case unit == "" || len(w.pending) == maxPending:
		w.all, w.pending = true, nil
	default:
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
	unit, w.pending = w.pending[0], w.pending[1:]
	return unit, true
}
