package systemdctl

import (
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/tunnelfile"
)

const unitPathPrefix = "/org/freedesktop/systemd1/unit/"

// unitPath is the object path of a unit.
func unitPath(name string) dbus.ObjectPath {
	return dbus.ObjectPath(unitPathPrefix + tunnelfile.EncodeLabel(name))
}

// nameOfPath is the inverse of unitPath. It is false if the path is not a unit's.
func nameOfPath(path dbus.ObjectPath) (string, bool) {
	label, ok := strings.CutPrefix(string(path), unitPathPrefix)
	name := tunnelfile.DecodeLabel(label)
	return name, ok && unitPath(name) == path
}
