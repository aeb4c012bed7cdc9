package systemdctl

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
)

// tables is the settings that a tunnel takes, one line each; holdfast.tunnel(5) lists them.
// What systemd has beyond them is for other kinds of units, for booting, or would take the unit
// out of its maker's hands.
var tables = map[string]map[string]conversion{"Unit": unitSettings, "Service": serviceSettings}

// unitSettings is what [Unit] takes: systemd.unit(5).
var unitSettings = withConditions(map[string]conversion{
	"Documentation":         one(uris),
	"After":                 one(unitNames),
	"Before":                one(unitNames),
	"Wants":                 one(unitNames),
	"Requires":              one(unitNames),
	"Requisite":             one(unitNames),
	"BindsTo":               one(unitNames),
	"PartOf":                one(unitNames),
	"Upholds":               one(unitNames),
	"Conflicts":             one(unitNames),
	"OnFailure":             one(unitNames),
	"OnSuccess":             one(unitNames),
	"RequiresMountsFor":     one(paths),
	"StartLimitIntervalSec": seconds,
	"StartLimitBurst":       one(unsigned),
})

// serviceSettings is what [Service] takes: systemd.service(5), systemd.exec(5),
// systemd.kill(5) and systemd.resource-control(5).
var serviceSettings = map[string]conversion{
	// How it starts, stops and is watched.
	"RestartSec":     seconds,
	"TimeoutStopSec": secondsOrNone,
	"RuntimeMaxSec":  seconds,
	"WatchdogSec":    seconds,
	"WatchdogSignal": one(signal),
	"OOMPolicy":      oneOf("continue", "stop", "kill"),
	"ExecCondition":  command,
	"ExecStartPre":   command,
	"ExecStartPost":  command,
	"ExecStopPost":   command,

	// What it gets.
	"Environment":             one(assignments),
	"EnvironmentFile":         named("EnvironmentFiles", environmentFile),
	"PassEnvironment":         one(variables),
	"UnsetEnvironment":        one(variables),
	"LoadCredential":          one(loadCredential),
	"LoadCredentialEncrypted": one(loadCredential),
	"SetCredential":           one(credentialValue(unescaped)),
	"SetCredentialEncrypted":  one(credentialValue(base64Text)),
	"WorkingDirectory":        one(workingDirectory),
	"RuntimeDirectory":        one(directories),
	"RuntimeDirectoryMode":    one(fileMode),
	"StateDirectory":          one(directories),
	"StateDirectoryMode":      one(fileMode),
	"UMask":                   one(fileMode),

	// Where it writes.
	"StandardOutput":          output,
	"StandardError":           output,
	"SyslogIdentifier":        one(words.Literal),
	"LogLevelMax":             one(logLevel),
	"LogRateLimitIntervalSec": seconds,
	"LogRateLimitBurst":       one(unsigned),
	"LogNamespace":            one(words.Literal),

	// What it may use.
	"Slice":          one(sliceName),
	"CPUWeight":      one(weight),
	"CPUQuota":       named("CPUQuotaPerSecUSec", cpuQuota),
	"MemoryMin":      limit(size),
	"MemoryLow":      limit(size),
	"MemoryHigh":     limit(size),
	"MemoryMax":      limit(size),
	"MemorySwapMax":  limit(size),
	"TasksMax":       limit(count),
	"IOWeight":       one(weight),
	"LimitCORE":      resourceLimit(size),
	"LimitMEMLOCK":   resourceLimit(size),
	"LimitNOFILE":    resourceLimit(count),
	"LimitNPROC":     resourceLimit(count),
	"Nice":           integer(-20, 19),
	"OOMScoreAdjust": integer(-1000, 1000),

	// What it is kept from.
	"NoNewPrivileges":         one(Boolean),
	"ProtectSystem":           oneOf("yes", "no", "full", "strict"),
	"ProtectHome":             oneOf("yes", "no", "read-only", "tmpfs"),
	"ProtectProc":             oneOf("default", "noaccess", "invisible", "ptraceable"),
	"ProcSubset":              oneOf("all", "pid"),
	"ProtectKernelTunables":   one(Boolean),
	"ProtectKernelModules":    one(Boolean),
	"ProtectKernelLogs":       one(Boolean),
	"ProtectControlGroups":    one(Boolean),
	"ProtectClock":            one(Boolean),
	"ProtectHostname":         one(Boolean),
	"PrivateTmp":              one(Boolean),
	"PrivateDevices":          one(Boolean),
	"PrivateUsers":            one(Boolean),
	"PrivateMounts":           one(Boolean),
	"PrivateIPC":              one(Boolean),
	"ReadWritePaths":          one(paths),
	"ReadOnlyPaths":           one(paths),
	"InaccessiblePaths":       one(paths),
	"RestrictAddressFamilies": one(addressFamilies),
	"RestrictNamespaces":      one(restrictNamespaces),
	"RestrictRealtime":        one(Boolean),
	"RestrictSUIDSGID":        one(Boolean),
	"RemoveIPC":               one(Boolean),
	"LockPersonality":         one(Boolean),
	"MemoryDenyWriteExecute":  one(Boolean),
	"SystemCallFilter":        one(filterOf),
	"SystemCallErrorNumber":   one(errorNumber),
	"SystemCallArchitectures": one(anyWords),
	"CapabilityBoundingSet":   one(capabilities),
	"AmbientCapabilities":     one(capabilities),
	"KeyringMode":             oneOf("inherit", "private", "shared"),
}

// systemSettings is what [Service] of a unit of the system takes besides: as whom it runs.
var systemSettings = map[string]conversion{
	"User":                one(account),
	"Group":               one(account),
	"SupplementaryGroups": one(anyWords),
}

// Of the conditions, those on paths want an absolute one.
var (
	pathConditions  = strings.Fields("DirectoryNotEmpty FileIsExecutable FileNotEmpty PathExists PathExistsGlob PathIsDirectory PathIsMountPoint PathIsReadWrite PathIsSymbolicLink")
	otherConditions = strings.Fields("ACPower Architecture Capability Environment Group Host KernelCommandLine KernelVersion User Virtualization")
)

// withConditions adds the Condition…= settings to a table.
func withConditions(table map[string]conversion) map[string]conversion {
	for _, name := range slices.Concat(pathConditions, otherConditions) {
		table["Condition"+name] = conditionOf(slices.Contains(pathConditions, name))
	}
	return table
}

// refused says why a tunnel file may not set what systemd knows.
var refused = map[string]string{
	"the program reports by sd_notify(3) when it is ready, so the type is notify":                "Type NotifyAccess",
	"the unit ends with its main process, which is the one systemd started":                      "ExitType RemainAfterExit PIDFile GuessMainPID",
	"the unit runs one program, and nothing else in its place":                                   "ExecStart RootDirectory RootImage",
	"a reload is a SIGHUP to the main process":                                                   "ExecReload",
	"a stop is a SIGTERM to the main process, and ends every process of the unit":                "ExecStop KillMode KillSignal RestartKillSignal",
	"the unit is always started again, but for the exit statuses that say it is no use":          "Restart RestartForceExitStatus RestartPreventExitStatus SuccessExitStatus",
	"the unit has the sockets that were made for it, and keeps them":                             "Sockets FileDescriptorStoreMax",
	"a start may wait for the network as long as it takes; for stopping there is TimeoutStopSec": "TimeoutStartSec TimeoutSec",
	"the unit runs as the person whose manager starts it":                                        "User Group DynamicUser SupplementaryGroups",
	"the program is nothing without the network":                                                 "PrivateNetwork NetworkNamespacePath",
	"the unit is started and stopped by hand all the time, and ends when the session does":       "DefaultDependencies RefuseManualStart RefuseManualStop StopWhenUnneeded AllowIsolate",
	"Holdfast sets it from the tunnel file":                                                      "SourcePath Description",
}
