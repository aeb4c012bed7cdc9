package systemdctl

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// UserspaceTimestamp is when this manager started: by the realtime clock, and in µs of
// CLOCK_MONOTONIC, which identifies the start even if the realtime clock is set.
func (c *Conn) UserspaceTimestamp(ctx context.Context) (realtime time.Time, monotonic uint64, err error) {
	var usec uint64
	if err := c.managerProperty(ctx, "UserspaceTimestamp", &usec); err != nil {
		return time.Time{}, 0, err
	}
	err = c.managerProperty(ctx, "UserspaceTimestampMonotonic", &monotonic)
	return timeOf(usec), monotonic, err
}

func (c *Conn) managerProperty(ctx context.Context, name string, into any) error {
	var v dbus.Variant
	err := c.manager.CallWithContext(ctx, bus.PropertiesInterface+".Get", dbus.FlagNoAutoStart, managerInterface, name).Store(&v)
	if err == nil {
		err = v.Store(into)
	}
	if err != nil {
		return fmt.Errorf("systemd's %s: %w", name, translate(err))
	}
	return nil
}
