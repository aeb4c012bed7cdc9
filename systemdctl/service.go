package systemdctl

import (
	"os"
	"reflect"
	"strings"
	"time"

	sddbus "github.com/coreos/go-systemd/v22/dbus"
)

// Service is a service unit: systemd.service(5) and systemd.exec(5) have the meaning
// of each field. What is zero is left to systemd's default.
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

	// RuntimeDirectory is a folder below /run that the program's user alone may enter. It is
	// made at the start and stays: other units may have it too.
	RuntimeDirectory string `property:"-"`

	Requires, Wants, After []string
}

// exitStatuses is a set of exit statuses and signals.
type exitStatuses struct{ Statuses, Signals []int32 }

// Properties is the service as StartTransient takes it.
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

// propertiesOf is the fields of a unit that are not zero, by their own names or those of their
// tags.
func propertiesOf(unit any) []Property {
	var props []Property
	v := reflect.ValueOf(unit)
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
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
