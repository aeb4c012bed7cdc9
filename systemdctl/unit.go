package systemdctl

import (
	"context"
	"fmt"
	"sort"
	"time"

	sddbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Unit is a unit at one moment. The fields from StatusText to Environment are zero for units that
// are no services, except Result.
type Unit struct {
	Name        string
	Description string
	LoadState   string // loaded, not-found, error, …
	ActiveState string // active, activating, inactive, failed, deactivating, reloading
	SubState    string // running, auto-restart, listening, …
	StateChange time.Time
	Job         bool // a job is queued or running for it

	StatusText     string // STATUS= of sd_notify(3)
	Result         string // success, exit-code, signal, watchdog, trigger-limit-hit, …; sockets have it too
	MainPID        uint32
	ExecMainStatus int32 // exit status or signal of the last main process
	NRestarts      uint32
	Environment    []string // of the unit, not of its process
}

// Unit reads a unit. The error is ErrNoSuchUnit if it is not loaded and has no file.
func (c *Conn) Unit(ctx context.Context, name string) (Unit, error) {
	u, err := c.read(ctx, name)
	if err != nil {
		return Unit{}, fmt.Errorf("%s: %w", name, translate(err))
	}
	return u, nil
}

// read gets all properties in one call, so that they are consistent. It takes 1.6 ms; a call for
// each property that is needed would take 2.7 ms.
func (c *Conn) read(ctx context.Context, name string) (Unit, error) {
	props, err := c.bus.Properties(ctx, busName, unitPath(name), "") // of all interfaces
	if err != nil {
		return Unit{}, err
	}
	u := unitOf(props)
	if u.LoadState == "not-found" && u.ActiveState == "inactive" {
		return Unit{}, ErrNoSuchUnit
	}
	return u, nil
}

// unitOf is a unit by its properties. A field is zero if its property is missing or has another
// type.
func unitOf(props map[string]dbus.Variant) Unit {
	var u Unit
	get := func(name string, into any) {
		if v, ok := props[name]; ok {
			_ = v.Store(into)
		}
	}
	get("Id", &u.Name)
	get("Description", &u.Description)
	get("LoadState", &u.LoadState)
	get("ActiveState", &u.ActiveState)
	get("SubState", &u.SubState)
	get("StatusText", &u.StatusText)
	get("Result", &u.Result)
	get("MainPID", &u.MainPID)
	get("ExecMainStatus", &u.ExecMainStatus)
	get("NRestarts", &u.NRestarts)
	get("Environment", &u.Environment)

	var changed uint64
	get("StateChangeTimestamp", &changed)
	u.StateChange = timeOf(changed)

	var job struct {
		ID   uint32
		Path dbus.ObjectPath
	}
	get("Job", &job)
	u.Job = job.ID != 0
	return u
}

// timeOf is the time of a timestamp property: µs since the epoch, 0 for no time.
func timeOf(usec uint64) time.Time {
	if usec == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(usec))
}

// List reads all loaded units whose names match a glob (fnmatch(3), as for systemctl), sorted by
// name. It leaves out units that are unloaded meanwhile.
func (c *Conn) List(ctx context.Context, pattern string) ([]Unit, error) {
	names, err := c.names(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, translate(err))
	}
	units := make([]Unit, 0, len(names))
	for _, name := range names {
		u, err := c.read(ctx, name)
		if translate(err) == ErrNoSuchUnit {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, translate(err))
		}
		units = append(units, u)
	}
	return units, nil
}

func (c *Conn) names(ctx context.Context, pattern string) ([]string, error) {
	var rows []sddbus.UnitStatus
	if err := c.call(ctx, "ListUnitsByPatterns", []string{}, []string{pattern}).Store(&rows); err != nil {
		return nil, err
	}
	var names []string
	for _, row := range rows {
		if row.LoadState != "not-found" {
			names = append(names, row.Name)
		}
	}
	sort.Strings(names)
	return names, nil
}
