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

// StartTransient makes a unit and those that go with it in one call, and queues a
// start job for the first; the others are only loaded. It returns without waiting
// for the job.
//
// A transient unit that failed keeps its name until it is reset. Units of that kind
// are reset here, and the call is made once more; a name that is in use otherwise is
// ErrUnitExists.
func (c *Conn) StartTransient(ctx context.Context, unit Transient, aux ...Transient) error {
	err := c.startTransient(ctx, unit, aux)
	if errors.Is(err, ErrUnitExists) && c.resetLeftovers(ctx, append(aux[:len(aux):len(aux)], unit)) {
		err = c.startTransient(ctx, unit, aux)
	}
	if errors.Is(err, ErrNoSuchUnit) {
		if name := c.missing(ctx, unit, aux); name != "" {
			return fault.Because(fault.Dependency, err, "it requires %s, and there is no such unit", name)
		}
		// It has just made it, and does not find what it wrote.
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

// Required is the units that a unit requires to be there, each once.
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

// missing is a unit that the first requires, and that neither is made with it nor exists.
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

// resetLeftovers resets the failed ones among units; true when none of them is alive.
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
