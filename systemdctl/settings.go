package systemdctl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/internal/words"
)

// Setting is one KEY=VALUE line of a unit file's section.
type Setting struct{ Key, Value string }

// row is the keys of a section that take the same kind of value.
type row struct {
	section string // "Unit" or "Service"; "" is any section
	keys    string
	takes   conversion
}

// settings lists what a tunnel file may set in its units, what each key takes, and what it may
// not set, and why; holdfast.tunnel(5) has the same list. The other settings of systemd are for
// other kinds of units, or for booting.
var settings = []row{
	// systemd.unit(5)
	{"Unit", "Documentation", list(`^(https?|file|info|man):`, "a URI of http, https, file, info or man", words.DropEscapes)},
	{"Unit", "After Before Wants Requires Requisite BindsTo PartOf Upholds Conflicts OnFailure OnSuccess", unitNames},
	{"Unit", "RequiresMountsFor", paths},
	{"Unit", "StartLimitIntervalSec", seconds},
	{"Unit", "StartLimitBurst", one(unsigned)},
	{"Unit", "ConditionDirectoryNotEmpty ConditionFileIsExecutable ConditionFileNotEmpty ConditionPathExists ConditionPathExistsGlob " +
		"ConditionPathIsDirectory ConditionPathIsMountPoint ConditionPathIsReadWrite ConditionPathIsSymbolicLink", conditionOn(absolutePath)},
	{"Unit", "ConditionACPower ConditionArchitecture ConditionCapability ConditionEnvironment ConditionGroup ConditionHost " +
		"ConditionKernelCommandLine ConditionKernelVersion ConditionUser ConditionVirtualization", conditionOn(words.Literal)},

	// systemd.service(5)
	{"Service", "RestartSec RuntimeMaxSec WatchdogSec", seconds},
	{"Service", "TimeoutStopSec", secondsOrNone},
	{"Service", "OOMPolicy", oneOf("continue", "stop", "kill")},
	{"Service", "ExecCondition ExecStartPre ExecStartPost ExecStopPost", commandLine},

	// systemd.exec(5) and systemd.kill(5)
	{"Service", "Environment", list(`^[A-Za-z_][A-Za-z0-9_]*=`, "VARIABLE=VALUE (quote a value with spaces)", words.CEscapes)},
	{"Service", "PassEnvironment UnsetEnvironment", list(`^[A-Za-z_][A-Za-z0-9_]*(=|$)`, "a variable's name", words.CEscapes)},
	{"Service", "EnvironmentFile", named("EnvironmentFiles", entry(environmentFile))},
	{"Service", "LoadCredential LoadCredentialEncrypted", one(entry(credentialFile))},
	{"Service", "SetCredential", one(entry(credentialValue(unescaped)))},
	{"Service", "SetCredentialEncrypted", one(entry(credentialValue(base64Text)))},
	{"Service", "WorkingDirectory", one(literal(`^-?(/|~$)`, "an absolute path"))},
	{"Service", "RuntimeDirectory StateDirectory", one(directories)},
	{"Service", "RuntimeDirectoryMode StateDirectoryMode UMask", one(whole[uint32](8, 0, 0o7777, "an access mode in octal"))},
	{"Service", "StandardOutput StandardError", output},
	{"Service", "SyslogIdentifier LogNamespace", one(words.Literal)},
	{"Service", "LogLevelMax", one(numberOf(0, 7, "none of emerg, alert, crit, err, warning, notice, info, debug", logLevel))},
	{"Service", "LogRateLimitIntervalSec", seconds},
	{"Service", "LogRateLimitBurst", one(unsigned)},
	{"Service", "WatchdogSignal", one(numberOf(1, 64, "not a signal", signal))},
	{"Service", "LimitCORE LimitMEMLOCK", resourceLimit(size)},
	{"Service", "LimitNOFILE LimitNPROC", resourceLimit(count)},
	{"Service", "Nice", one(whole[int32](0, -20, 19, "a number from -20 to 19"))},
	{"Service", "OOMScoreAdjust", one(whole[int32](0, -1000, 1000, "a number from -1000 to 1000"))},
	{"Service", "KeyringMode", oneOf("inherit", "private", "shared")},
	{"Service", "ProtectSystem", oneOf("yes", "no", "full", "strict")},
	{"Service", "ProtectHome", oneOf("yes", "no", "read-only", "tmpfs")},
	{"Service", "ProtectProc", oneOf("default", "noaccess", "invisible", "ptraceable")},
	{"Service", "ProcSubset", oneOf("all", "pid")},
	{"Service", "ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups ProtectClock ProtectHostname " +
		"PrivateTmp PrivateDevices PrivateUsers PrivateMounts PrivateIPC NoNewPrivileges RestrictRealtime RestrictSUIDSGID RemoveIPC " +
		"LockPersonality MemoryDenyWriteExecute", one(boolean)},
	{"Service", "ReadWritePaths ReadOnlyPaths InaccessiblePaths", paths},
	{"Service", "RestrictAddressFamilies", one(addressFamilies)},
	{"Service", "RestrictNamespaces", one(restrictNamespaces)},
	{"Service", "SystemCallFilter", one(filterOf)},
	{"Service", "SystemCallErrorNumber", one(numberOf(1, 4095, "not an error number such as EPERM", errorNumber))},
	{"Service", "SystemCallArchitectures", list("", "", words.CEscapes)},
	{"Service", "CapabilityBoundingSet AmbientCapabilities", one(capabilities)},

	// systemd.resource-control(5)
	{"Service", "Slice", one(literal(`^[A-Za-z0-9:_.\\@-]+\.slice$`, "the name of a slice, such as background.slice"))},
	{"Service", "CPUWeight IOWeight", one(whole[uint64](10, 1, 10000, "a weight from 1 to 10000"))},
	{"Service", "CPUQuota", named("CPUQuotaPerSecUSec", cpuQuota)},
	{"Service", "MemoryMin MemoryLow MemoryHigh MemoryMax MemorySwapMax", limit(size)},
	{"Service", "TasksMax", limit(count)},

	{"", "Type NotifyAccess", refuse("the program reports by sd_notify(3) when it is ready, so the type is notify")},
	{"", "ExitType RemainAfterExit PIDFile GuessMainPID", refuse("the unit ends with its main process, which is the one systemd started")},
	{"", "ExecStart RootDirectory RootImage", refuse("the unit runs one program, and nothing else in its place")},
	{"", "ExecReload", refuse("a reload is a SIGHUP to the main process")},
	{"", "ExecStop KillMode KillSignal RestartKillSignal", refuse("a stop is a SIGTERM to the main process, and ends every process of the unit")},
	{"", "Restart RestartForceExitStatus RestartPreventExitStatus SuccessExitStatus", refuse("the unit is always started again, but for the exit statuses that say it is no use")},
	{"", "Sockets FileDescriptorStoreMax", refuse("the unit has the sockets that were made for it, and keeps them")},
	{"", "TimeoutStartSec TimeoutSec", refuse("a start may wait for the network as long as it takes; for stopping there is TimeoutStopSec")},
	{"", "User Group DynamicUser SupplementaryGroups", refuse("the unit runs as the person whose manager starts it")},
	{"", "PrivateNetwork NetworkNamespacePath", refuse("the program is nothing without the network")},
	{"", "DefaultDependencies RefuseManualStart RefuseManualStop StopWhenUnneeded AllowIsolate", refuse("the unit is started and stopped by hand all the time, and ends when the session does")},
	{"", "SourcePath Description", refuse("Holdfast sets it from the tunnel file")},
}

// systemSettings lists what only units of the system's manager take: the user that they run as.
var systemSettings = []row{
	{"Service", "User Group", one(literal(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}\$?$`, "the name or the number of a user or group"))},
	{"Service", "SupplementaryGroups", list("", "", words.CEscapes)},
	{"Service", "DynamicUser", refuse("a user that is made up at each start has no keys and no known_hosts; name one that stays by User=")},
}

type settingKey struct{ section, key string }

var conversions = map[Scope]map[settingKey]conversion{User: index(settings), System: index(settings, systemSettings)}

func index(tables ...[]row) map[settingKey]conversion {
	all := make(map[settingKey]conversion)
	for _, r := range slices.Concat(tables...) {
		for _, key := range strings.Fields(r.keys) {
			all[settingKey{r.section, key}] = r.takes
		}
	}
	return all
}

// Properties turns the settings of a section, "Unit" or "Service", into properties of a
// transient unit of a scope's manager. Their meaning and syntax are those of unit files: a
// setting that is a list may be given more than once, and an empty value empties the list.
//
// Two things differ from a unit file, and are errors. systemd expands no specifiers (%h, %i, …)
// in what it gets over D-Bus, so "%%" is the only one allowed. And some settings belong to
// whoever makes the unit.
//
// The second result has as many entries as settings: nil, or what is wrong with that one.
func Properties(scope Scope, section string, settings []Setting) ([]Property, []error) {
	var all []Property
	errs := make([]error, len(settings))
	for i, s := range settings {
		var props []Property
		props, errs[i] = conversionOf(scope, section, s.Key)(s.Key, s.Value)
		all = append(all, props...)
	}
	return all, errs
}

// known is the settings of a section that both managers take, sorted.
func known(section string) []string {
	var keys []string
	for _, r := range settings {
		if r.section == section {
			keys = append(keys, strings.Fields(r.keys)...)
		}
	}
	slices.Sort(keys)
	return keys
}

// conversionOf is how a setting is converted. If there is no such setting in the section, the
// conversion fails and says so.
func conversionOf(scope Scope, section, key string) conversion {
	all := conversions[scope]
	other, ok := map[string]string{"Unit": "Service", "Service": "Unit"}[section]
	if !ok {
		return fail("no such section: [%s]", section)
	}
	for _, in := range []string{section, ""} {
		if convert := all[settingKey{in, key}]; convert != nil {
			return convert
		}
	}
	if all[settingKey{other, key}] != nil {
		return fail("belongs in [%s]", other)
	}
	if meant := text.Nearest(key, known(section)); meant != "" {
		return fail("a tunnel has no such setting in [%s]; did you mean %s?", section, meant)
	}
	return fail("a tunnel has no such setting in [%s]; holdfast.tunnel(5) lists those that it has", section)
}

// refuse is for a setting that a tunnel file must leave alone.
func refuse(why string) conversion { return fail("cannot be set here: %s", why) }

// fail is a conversion that always fails.
func fail(format string, args ...any) conversion {
	return func(_, _ string) ([]Property, error) { return nil, fmt.Errorf(format, args...) }
}
