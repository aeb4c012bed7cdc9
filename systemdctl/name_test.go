package systemdctl

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestUnitPath(t *testing.T) {
	for name, path := range map[string]string{
		"holdfast-tunnel@a-b.service": "/org/freedesktop/systemd1/unit/holdfast_2dtunnel_40a_2db_2eservice",
		"1.socket":                    "/org/freedesktop/systemd1/unit/_31_2esocket",
		`a\x2db_c.mount`:              "/org/freedesktop/systemd1/unit/a_5cx2db_5fc_2emount",
	} {
		if got := string(unitPath(name)); got != path {
			t.Errorf("unitPath(%q) = %s, want %s", name, got, path)
		}
		if got, ok := nameOfPath(unitPath(name)); !ok || got != name {
			t.Errorf("nameOfPath(%s) = %q, %v", path, got, ok)
		}
	}
	for _, path := range []string{"/org/freedesktop/systemd1", "/org/freedesktop/systemd1/unit/", "/org/freedesktop/systemd1/unit/a/b",
		"/org/freedesktop/systemd1/unit/a_2", "/org/freedesktop/systemd1/unit/a_zz", "/org/freedesktop/systemd1/job/7"} {
		if name, ok := nameOfPath(dbus.ObjectPath(path)); ok {
			t.Errorf("nameOfPath(%s) = %q, want none", path, name)
		}
	}
}
