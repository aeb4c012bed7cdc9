package systemdctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/holdfast/holdfast/internal/text"
)

// Setting is one KEY=VALUE line of a unit file's section.
type Setting struct{ Key, Value string }

// Properties turns the settings of a section, "Unit" or "Service", into properties
// of a transient unit of a scope's manager, with the meaning and the syntax that unit files give them
// (systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5),
// systemd.resource-control(5), quoting as in systemd.syntax(7)). As there, a setting
// that is a list may be given more than once, and an empty value empties it.
//
// Two things differ from a unit file, and are errors: systemd expands no specifiers
// (%h, %i, …) in what comes over D-Bus, so "%%" is the only one taken; and settings
// that whoever makes the unit must set are not left to others.
//
// The second result has as many entries as settings: nil, or what is wrong with that one.
func Properties(scope Scope, section string, settings []Setting) ([]Property, []error) {
	var props []Property
	errs := make([]error, len(settings))
	for i, s := range settings {
		p, err := convert(scope, section, s)
		if err != nil {
			errs[i] = err
			continue
		}
		props = append(props, p...)
	}
	return props, errs
}

// Known is the settings of a section that Properties takes, sorted.
func Known(section string) []string {
	return slices.Sorted(maps.Keys(tables[section]))
}

// conversion makes properties of a setting's value; its error does not name the key.
type conversion func(key, value string) ([]Property, error)

// tables is the settings of each section.
var tables = map[string]map[string]conversion{
	"Unit":    unitSettings,
	"Service": serviceSettings,
}

func convert(scope Scope, section string, s Setting) ([]Property, error) {
	table, ok := tables[section]
	if !ok {
		return nil, fmt.Errorf("no such section: [%s]", section)
	}
	if c, ok := table[s.Key]; ok {
		return c(s.Key, s.Value)
	}
	if c, ok := userSettings[s.Key]; ok && scope == System && section == "Service" {
		return c(s.Key, s.Value)
	}
	if s.Key == "DynamicUser" && scope == System {
		return nil, errors.New("cannot be set here: a user that is made up at each start has no keys and no known_hosts; name one that stays by User=")
	}
	if why, ok := reserved[s.Key]; ok {
		return nil, fmt.Errorf("cannot be set here: %s", why)
	}
	for other, t := range tables {
		if _, ok := t[s.Key]; ok {
			return nil, fmt.Errorf("belongs in [%s]", other)
		}
	}
	if meant := text.Nearest(s.Key, Known(section)); meant != "" {
		return nil, fmt.Errorf("no such setting in [%s]; did you mean %s?", section, meant)
	}
	return nil, fmt.Errorf("no such setting in [%s]", section)
}

// reserved says why a setting that systemd knows is not taken from a file.
var reserved = map[string]string{
	"Type":                   "the program reports by sd_notify(3) when it is ready, so the type is notify",
	"NotifyAccess":           "only the main process reports its state",
	"ExitType":               "the unit ends with its main process",
	"ExecStart":              "the unit runs one program, and nothing else in its place",
	"ExecReload":             "a reload is a SIGHUP to the main process",
	"ExecStop":               "a stop is a SIGTERM to the main process, which ends what it does in order",
	"Restart":                "the unit is always started again, but for the exit statuses that say there is no use",
	"RestartForceExitStatus": "the exit statuses that end the unit for good have fixed meanings",
	"SuccessExitStatus":      "the exit statuses have fixed meanings",
	"RemainAfterExit":        "the unit ends with its main process",
	"PIDFile":                "the main process is the one systemd started",
	"GuessMainPID":           "the main process is the one systemd started",
	"BusName":                "the program owns no bus name",
	"Sockets":                "the unit has the sockets that were made for it, and no others",
	"FileDescriptorStoreMax": "the program keeps its sockets there and knows how many it needs",
	"KillMode":               "a stop ends every process of the unit",
	"KillSignal":             "a stop is a SIGTERM, after which open work is finished",
	"RestartKillSignal":      "a stop is a SIGTERM, after which open work is finished",
	"TimeoutStartSec":        "a start may wait for the network as long as it takes",
	"TimeoutSec":             "a start may wait as long as it takes; for stopping there is TimeoutStopSec",
	"User":                   "the unit runs as the person whose manager starts it",
	"Group":                  "the unit runs as the person whose manager starts it",
	"DynamicUser":            "the unit runs as the person whose manager starts it",
	"SupplementaryGroups":    "the unit runs as the person whose manager starts it",
	"RootDirectory":          "the program runs where its files are",
	"RootImage":              "the program runs where its files are",
	"StandardInput":          "there is nothing to read there",
	"PrivateNetwork":         "the program is nothing without the network",
	"NetworkNamespacePath":   "the sockets are opened outside it",
	"DefaultDependencies":    "the unit must end when the session does",
	"RefuseManualStart":      "the unit is started and stopped by hand all the time",
	"RefuseManualStop":       "the unit is started and stopped by hand all the time",
	"StopWhenUnneeded":       "nothing need depend on the unit",
	"AllowIsolate":           "the unit is not a target",
	"JobTimeoutSec":          "systemd does not take it for a transient unit; there is JobRunningTimeoutSec",
	"CollectMode":            "a failed unit is kept until someone has seen why",
	"SourcePath":             "it names the file the unit was made from",
	"Description":            "it is set elsewhere",
	"Delegate":               "the program makes no control groups of its own",
	"SyslogLevelPrefix":      "the program's log lines carry their level in a prefix",
}

var errEmpty = errors.New("needs a value")
