package systemdctl

import (
	"context"
	"slices"

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
// channel is closed when the context or the connection ends. match is called from another goroutine,
// and must not block.
func (c *Conn) Watch(ctx context.Context, match func(unit string) bool) <-chan string {
	hints := make(chan string)
	go func() {
		defer close(hints)
		changes, stop, err := c.bus.Signals(ctx, signals...)
		if err != nil {
			return
		}
		defer stop()
		// A manager that was started again has forgotten its subscribers, also one that was since Connect.
		c.call(ctx, "Subscribe")
		pending := []string{""} // oldest first
		for {
			var oldest string
			var reader chan<- string // nil if there is no hint
			if len(pending) > 0 {
				oldest, reader = pending[0], hints
			}
			select {
			case reader <- oldest:
				pending = pending[1:]
			case s, ok := <-changes:
				if !ok {
					return
				}
				unit, ok := hintOf(s)
				if !ok || unit != "" && !match(unit) {
					continue
				}
				if unit == "" {
					c.call(ctx, "Subscribe")
				}
				pending = addHint(pending, unit)
			case <-ctx.Done():
				return
			}
		}
	}()
	return hints
}

// addHint adds a unit, or "", to the hints that the reader has not taken yet.
func addHint(pending []string, unit string) []string {
	switch {
	case slices.Contains(pending, unit), slices.Contains(pending, ""):
		return pending
	case unit == "" || len(pending) == maxPending:
		return []string{""}
	}
	return append(pending, unit)
}
