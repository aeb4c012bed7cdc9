package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	sddbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/fault"
)

// Property is one property of a unit, as StartTransientUnit takes it. Names and types
// are those of org.freedesktop.systemd1(5).
type Property = sddbus.Property

func property(name string, value any) Property {
	return Property{Name: name, Value: dbus.MakeVariant(value)}
}

// Transient is a unit that exists only in the manager's memory.
type Transient struct {
	Name       string
	Properties []Property
}

// StartTransient makes a unit and its auxiliary units in one call, and queues a start job for the
// first. The others are only loaded. It does not wait for the job.
//
// A transient unit that failed keeps its name until it is reset. StartTransient resets such units
// and tries once more. The error is ErrUnitExists if a name is in use otherwise.
func (c *Conn) StartTransient(ctx context.Context, unit Transient, aux ...Transient) error {
	err := c.startTransient(ctx, unit, aux)
	if errors.Is(err, ErrUnitExists) && c.resetLeftovers(ctx, append(aux[:len(aux):len(aux)], unit)) {
		err = c.startTransient(ctx, unit, aux)
	}
	if errors.Is(err, ErrNoSuchUnit) {
		if name := c.missing(ctx, unit, aux); name != "" {
			return fault.Because(fault.Dependency, err, "it requires %s, and there is no such unit", name)
		}
		// systemd has just made the unit, and does not find its file.
		return fmt.Errorf("start %s: %w: systemd could not write it down; is its folder below /run full?", unit.Name, err)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", unit.Name, err)
	}
	return nil
}

func (c *Conn) startTransient(ctx context.Context, unit Transient, aux []Transient) error {
	if aux == nil {
		aux = []Transient{} // an empty array still has a type
	}
	return translate(c.call(ctx, "StartTransientUnit", unit.Name, replace, unit.Properties, aux).Err)
}

// Required returns the units that a unit requires, each once.
func (t Transient) Required() []string {
	var names []string
	for _, p := range t.Properties {
		switch p.Name {
		case "Requires", "Requisite", "BindsTo":
			list, _ := p.Value.Value().([]string)
			names = append(names, list...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// missing returns a unit that the unit requires and that is neither auxiliary nor exists; "" if there
// is none.
func (c *Conn) missing(ctx context.Context, unit Transient, aux []Transient) string {
	for _, name := range unit.Required() {
		if slices.ContainsFunc(aux, func(t Transient) bool { return t.Name == name }) {
			continue
		}
		if _, err := c.read(ctx, name); translate(err) == ErrNoSuchUnit {
			return name
		}
	}
	return ""
}

// resetLeftovers resets the failed units. It is true if none of the units runs.
func (c *Conn) resetLeftovers(ctx context.Context, units []Transient) bool {
	for _, t := range units {
		u, err := c.read(ctx, t.Name)
		switch {
		case translate(err) == ErrNoSuchUnit:
			continue
		case err != nil || u.Job:
			return false
		case u.ActiveState == "failed":
			if c.ResetFailed(ctx, t.Name) != nil {
				return false
			}
		case u.ActiveState != "inactive":
			return false
		}
	}
	return true
}
