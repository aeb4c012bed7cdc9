package systemdctl

import (
	"errors"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// Errors for errors.Is.
var (
	ErrNoManager  = errors.New("no systemd manager there")
	ErrNoSuchUnit = errors.New("no such unit")
	ErrUnitExists = errors.New("unit exists already")
	ErrNoProcess  = errors.New("no process runs there")
)

// kinds is these errors by their names on the bus; systemd's are in
// src/libsystemd/sd-bus/bus-common-errors.h.
var kinds = map[string]error{
	"org.freedesktop.systemd1.NoSuchUnit":              ErrNoSuchUnit,
	"org.freedesktop.systemd1.UnitExists":              ErrUnitExists,
	"org.freedesktop.systemd1.NoSuchProcess":           ErrNoProcess,
	"org.freedesktop.DBus.Error.Spawn.ServiceNotFound": ErrNoManager,
}

// reasons is why a unit cannot be made or started, by the name of the error.
var reasons = map[string]fault.Reason{
	"org.freedesktop.DBus.Error.InvalidArgs":              fault.Settings,
	"org.freedesktop.DBus.Error.PropertyReadOnly":         fault.Settings,
	"org.freedesktop.systemd1.BadUnitSetting":             fault.Settings,
	"org.freedesktop.systemd1.LoadFailed":                 fault.Dependency,
	"org.freedesktop.systemd1.UnitMasked":                 fault.Dependency,
	"org.freedesktop.systemd1.TransactionJobsConflicting": fault.Dependency,
	"org.freedesktop.systemd1.TransactionOrderIsCyclic":   fault.Dependency,
}

// translate replaces a D-Bus error by one of kinds, or adds its reason. Other errors stay as they
// are.
func translate(err error) error {
	e, ok := errors.AsType[dbus.Error](err)
	if !ok {
		return err
	}
	if bus.NoOwner(err) {
		return ErrNoManager
	}
	if kind, ok := kinds[e.Name]; ok {
		return kind
	}
	if why, ok := reasons[e.Name]; ok {
		return fault.Because(why, err, "%s", text.FromPeer(e.Error()))
	}
	return err
}
