package systemdctl

import (
	"errors"

	"github.com/godbus/dbus/v5"
)

// What a caller can tell apart with errors.Is.
var (
	ErrNoManager  = errors.New("no systemd manager there")
	ErrNoSuchUnit = errors.New("no such unit")
	ErrUnitExists = errors.New("unit exists already")
	ErrNoProcess  = errors.New("no process runs there")
)

// kinds is what the bus and systemd (src/libsystemd/sd-bus/bus-common-errors.h) call them.
var kinds = map[string]error{
	"org.freedesktop.systemd1.NoSuchUnit":              ErrNoSuchUnit,
	"org.freedesktop.systemd1.UnitExists":              ErrUnitExists,
	"org.freedesktop.systemd1.NoSuchProcess":           ErrNoProcess,
	"org.freedesktop.DBus.Error.ServiceUnknown":        ErrNoManager,
	"org.freedesktop.DBus.Error.NameHasNoOwner":        ErrNoManager,
	"org.freedesktop.DBus.Error.Spawn.ServiceNotFound": ErrNoManager,
}

// translate replaces a D-Bus error that has a name here by it. Others stay: their
// text is systemd's own sentence.
func translate(err error) error {
	var e dbus.Error
	if errors.As(err, &e) {
		if kind, ok := kinds[e.Name]; ok {
			return kind
		}
	}
	return err
}
