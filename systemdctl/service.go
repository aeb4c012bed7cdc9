package systemdctl

import (
	"strings"
	"time"
)

// Service is a service unit: systemd.service(5) and systemd.exec(5) have the meaning
// of each field. What is zero is left to systemd's default.
type Service struct {
	Description string
	Slice       string
	ExecStart   []string // argv; the first is a path
	Environment []string // KEY=VALUE

	Type                     string // notify, exec, simple, …
	NotifyAccess             string // none, main, exec, all
	KillMode                 string // control-group, mixed, process, none
	Restart                  string // no, always, on-failure, …
	RestartDelay             time.Duration
	RestartPreventExitStatus []int32
	TimeoutStart             time.Duration
	TimeoutStop              time.Duration
	Watchdog                 time.Duration
	FileDescriptorStoreMax   uint32

	// RuntimeDirectory is a folder below /run that the program's user alone may enter. It is
	// made at the start and stays: other units may have it too.
	RuntimeDirectory string

	Requires, Wants, After []string
}

// execCommand is a command line: path, argv, and whether its failure is ignored.
type execCommand struct {
	Path          string
	Argv          []string
	IgnoreFailure bool
}

// exitStatuses is a set of exit statuses and signals.
type exitStatuses struct{ Statuses, Signals []int32 }

// Properties is the service as StartTransient takes it.
func (s Service) Properties() []Property {
	var props []Property
	if len(s.ExecStart) > 0 {
		props = append(props, property("ExecStart", []execCommand{{s.ExecStart[0], s.ExecStart, false}}))
	}
	for _, p := range []struct{ name, value string }{
		{"Description", s.Description},
		{"Slice", s.Slice},
		{"Type", s.Type},
		{"NotifyAccess", s.NotifyAccess},
		{"KillMode", s.KillMode},
		{"Restart", s.Restart},
	} {
		if p.value != "" {
			props = append(props, property(p.name, p.value))
		}
	}
	for _, p := range []struct {
		name  string
		value []string
	}{
		{"Environment", s.Environment},
		{"Requires", s.Requires},
		{"Wants", s.Wants},
		{"After", s.After},
	} {
		if len(p.value) > 0 {
			props = append(props, property(p.name, p.value))
		}
	}
	for _, p := range []struct {
		name  string
		value time.Duration
	}{
		{"RestartUSec", s.RestartDelay},
		{"TimeoutStartUSec", s.TimeoutStart},
		{"TimeoutStopUSec", s.TimeoutStop},
		{"WatchdogUSec", s.Watchdog},
	} {
		if p.value != 0 {
			props = append(props, property(p.name, usec(p.value)))
		}
	}
	if len(s.RestartPreventExitStatus) > 0 {
		props = append(props, property("RestartPreventExitStatus", exitStatuses{s.RestartPreventExitStatus, []int32{}}))
	}
	if s.RuntimeDirectory != "" {
		props = append(props,
			property("RuntimeDirectory", []string{strings.TrimPrefix(s.RuntimeDirectory, "/run/")}),
			property("RuntimeDirectoryMode", uint32(0o700)),
			property("RuntimeDirectoryPreserve", "yes"))
	}
	if s.FileDescriptorStoreMax != 0 {
		props = append(props, property("FileDescriptorStoreMax", s.FileDescriptorStoreMax))
	}
	return props
}
