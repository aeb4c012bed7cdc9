package systemdctl

import (
	"encoding/hex"
	"strings"

	sddbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const unitPathPrefix = "/org/freedesktop/systemd1/unit/"

// unitPath is the object path of a unit, as sd_bus_path_encode(3) makes it.
func unitPath(name string) dbus.ObjectPath {
	return dbus.ObjectPath(unitPathPrefix + sddbus.PathBusEscape(name))
}

// nameOfPath is the inverse of unitPath; false when the path is not a unit's.
func nameOfPath(path dbus.ObjectPath) (string, bool) {
	escaped, ok := strings.CutPrefix(string(path), unitPathPrefix)
	if !ok || escaped == "" || strings.Contains(escaped, "/") {
		return "", false
	}
	if escaped == "_" {
		return "", true
	}
	var name strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '_' {
			name.WriteByte(escaped[i])
			continue
		}
		if i+3 > len(escaped) {
			return "", false
		}
		b, err := hex.DecodeString(escaped[i+1 : i+3])
		if err != nil {
			return "", false
		}
		name.WriteByte(b[0])
		i += 2
	}
	return name.String(), true
}
