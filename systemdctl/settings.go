package systemdctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
)

// Setting is one KEY=VALUE line of a unit file's section.
type Setting struct{ Key, Value string }

// Properties turns the settings of a section, "Unit" or "Service", into properties
// of a transient unit of a scope's manager, with the meaning and the syntax that unit files
// give them. As there, a setting that is a list may be given more than once, and an empty
// value empties it.
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
		c, err := conversionOf(scope, section, s.Key)
		if err == nil {
			var p []Property
			if p, err = c(s.Key, s.Value); err == nil {
				props = append(props, p...)
			}
		}
		errs[i] = err
	}
	return props, errs
}

// Known is the settings of a section that Properties takes, sorted.
func Known(section string) []string { return slices.Sorted(maps.Keys(tables[section])) }

// conversionOf is how a setting becomes properties, or why it does not.
func conversionOf(scope Scope, section, key string) (conversion, error) {
	table, ok := tables[section]
	if !ok {
		return nil, fmt.Errorf("no such section: [%s]", section)
	}
	if c, ok := table[key]; ok {
		return c, nil
	}
	if c, ok := userSettings[key]; ok && scope == System && section == "Service" {
		return c, nil
	}
	if key == "DynamicUser" && scope == System {
		return nil, errors.New("cannot be set here: a user that is made up at each start has no keys and no known_hosts; name one that stays by User=")
	}
	for why, keys := range refused {
		if slices.Contains(strings.Fields(keys), key) {
			return nil, errors.New(why)
		}
	}
	for other, t := range tables {
		if _, ok := t[key]; ok {
			return nil, fmt.Errorf("belongs in [%s]", other)
		}
	}
	if meant := text.Nearest(key, Known(section)); meant != "" {
		return nil, fmt.Errorf("no such setting in [%s]; did you mean %s?", section, meant)
	}
	return nil, fmt.Errorf("no such setting in [%s]", section)
}

// refused says why settings that systemd knows are not taken from a file.
var refused = map[string]string{
	"cannot be set here: the program reports by sd_notify(3) when it is ready, so the type is notify":                "Type",
	"cannot be set here: only the main process reports its state":                                                    "NotifyAccess",
	"cannot be set here: the unit ends with its main process, which is the one systemd started":                      "ExitType RemainAfterExit PIDFile GuessMainPID",
	"cannot be set here: the unit runs one program, and nothing else in its place":                                   "ExecStart",
	"cannot be set here: a reload is a SIGHUP to the main process":                                                   "ExecReload",
	"cannot be set here: a stop is a SIGTERM to the main process, which ends what it does in order":                  "ExecStop KillSignal RestartKillSignal",
	"cannot be set here: a stop ends every process of the unit":                                                      "KillMode",
	"cannot be set here: the unit is always started again, but for the exit statuses that say it is no use":          "Restart",
	"cannot be set here: the exit statuses have fixed meanings":                                                      "RestartForceExitStatus SuccessExitStatus",
	"cannot be set here: the program owns no bus name":                                                               "BusName",
	"cannot be set here: the unit has the sockets that were made for it, and keeps them":                             "Sockets FileDescriptorStoreMax",
	"cannot be set here: a start may wait for the network as long as it takes; for stopping there is TimeoutStopSec": "TimeoutStartSec TimeoutSec",
	"cannot be set here: the unit runs as the person whose manager starts it":                                        "User Group DynamicUser SupplementaryGroups",
	"cannot be set here: the program runs where its files are":                                                       "RootDirectory RootImage",
	"cannot be set here: there is nothing to read there":                                                             "StandardInput",
	"cannot be set here: the program is nothing without the network":                                                 "PrivateNetwork NetworkNamespacePath",
	"cannot be set here: the unit must end when the session does":                                                    "DefaultDependencies",
	"cannot be set here: the unit is started and stopped by hand all the time":                                       "RefuseManualStart RefuseManualStop StopWhenUnneeded AllowIsolate",
	"cannot be set here: systemd does not take it for a transient unit; there is JobRunningTimeoutSec":               "JobTimeoutSec",
	"cannot be set here: a failed unit is kept until someone has seen why":                                           "CollectMode",
	"cannot be set here: Holdfast sets it from the tunnel file":                                                      "SourcePath Description",
	"cannot be set here: the program makes no control groups of its own":                                             "Delegate",
	"cannot be set here: the program's log lines carry their level in a prefix":                                      "SyslogLevelPrefix",
	"is not handed on: no tunnel needs it": `BindPaths BindReadOnlyPaths CoredumpFilter CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork
		DeviceAllow DevicePolicy LogExtraFields OnFailureJobMode SyslogFacility SystemCallLog TemporaryFileSystem`,
}
