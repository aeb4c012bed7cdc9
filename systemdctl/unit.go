package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	var changed uint64
	var job struct {
		ID   uint32
		Path dbus.ObjectPath
	}
	for name, field := range map[string]any{
		"Id": &u.Name, "Description": &u.Description,
		"LoadState": &u.LoadState, "ActiveState": &u.ActiveState, "SubState": &u.SubState,
		"StatusText": &u.StatusText, "Result": &u.Result,
		"MainPID": &u.MainPID, "ExecMainStatus": &u.ExecMainStatus, "NRestarts": &u.NRestarts,
		"Environment": &u.Environment, "StateChangeTimestamp": &changed, "Job": &job,
	} {
		if v, ok := props[name]; ok {
			_ = v.Store(field)
		}
	}
	if changed != 0 { // µs since the epoch
		u.StateChange = time.UnixMicro(int64(changed))
	}
	u.Job = job.ID != 0
	return u
}

// List reads all loaded units whose names match a glob (fnmatch(3), as for systemctl), sorted by
// name. It leaves out units that are unloaded meanwhile.
func (c *Conn) List(ctx context.Context, pattern string) ([]Unit, error) {
	var rows []sddbus.UnitStatus
	if err := c.call(ctx, "ListUnitsByPatterns", []string{}, []string{pattern}).Store(&rows); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, translate(err))
	}
	units := make([]Unit, 0, len(rows))
	for _, row := range rows {
		if row.LoadState == "not-found" {
			continue
		}
		u, err := c.Unit(ctx, row.Name)
		if errors.Is(err, ErrNoSuchUnit) {
			continue
		}
		if err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b Unit) int { return strings.Compare(a.Name, b.Name) })
	return units, nil
}
