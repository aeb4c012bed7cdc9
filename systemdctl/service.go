package systemdctl

import (
	"os"
	"reflect"
	"strings"
	"time"

	sddbus "github.com/coreos/go-systemd/v22/dbus"
)

// Service is a service unit: systemd.service(5) and systemd.exec(5) document each field. A zero
// field has systemd's default.
type Service struct {
	Description string
	Slice       string
	ExecStart   []string `property:"-"` // argv; the first is a path
	Environment []string // KEY=VALUE

	Type                     string        // notify, exec, simple, …
	NotifyAccess             string        // none, main, exec, all
	KillMode                 string        // control-group, mixed, process, none
	Restart                  string        // no, always, on-failure, …
	RestartDelay             time.Duration `property:"RestartUSec"`
	RestartPreventExitStatus []int32
	TimeoutStart             time.Duration `property:"TimeoutStartUSec"`
	TimeoutStop              time.Duration `property:"TimeoutStopUSec"`
	Watchdog                 time.Duration `property:"WatchdogUSec"`
	FileDescriptorStoreMax   uint32

	// RuntimeDirectory is a folder below /run that only the program's user may enter. systemd makes
	// it at the start, and keeps it: units may share it.
	RuntimeDirectory string `property:"-"`

	Requires, Wants, After []string
}

// exitStatuses is a set of exit statuses and signals.
type exitStatuses struct{ Statuses, Signals []int32 }

// Properties returns the service as StartTransient takes it.
func (s Service) Properties() []Property {
	props := propertiesOf(s)
	if len(s.ExecStart) > 0 {
		props = append(props, sddbus.PropExecStart(s.ExecStart, false))
	}
	if s.RuntimeDirectory != "" {
		props = append(props,
			property("RuntimeDirectory", []string{strings.TrimPrefix(s.RuntimeDirectory, "/run/")}),
			property("RuntimeDirectoryMode", uint32(0o700)),
			property("RuntimeDirectoryPreserve", "yes"))
	}
	return props
}

// propertiesOf returns the fields of a unit that are not zero. Their names are the tags', or else
// the fields'.
func propertiesOf(unit any) []Property {
	var props []Property
	for field, value := range reflect.ValueOf(unit).Fields() {
		name, tagged := field.Tag.Lookup("property")
		if !tagged {
			name = field.Name
		}
		if value.IsZero() || name == "-" {
			continue
		}
		p := value.Interface()
		switch x := p.(type) {
		case time.Duration:
			p = usec(x)
		case os.FileMode:
			p = uint32(x.Perm())
		case []int32:
			p = exitStatuses{x, []int32{}}
		}
		props = append(props, property(name, p))
	}
	return props
}
