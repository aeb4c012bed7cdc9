package systemdctl

import "fmt"

// startStatuses are those by which systemd says that it could not even run a unit's program,
// with the setting that is to blame where there is one; see systemd.exec(5), "Process Exit
// Codes".
var startStatuses = map[int32]struct{ name, setting string }{
	200: {"CHDIR", "WorkingDirectory="},
	201: {"NICE", "Nice="},
	202: {"FDS", ""},
	203: {"EXEC", ""},
	204: {"MEMORY", ""},
	205: {"LIMITS", "one of Limit…="},
	206: {"OOM_ADJUST", "OOMScoreAdjust="},
	207: {"SIGNAL_MASK", ""},
	208: {"STDIN", "StandardInput="},
	209: {"STDOUT", "StandardOutput="},
	210: {"CHROOT", "RootDirectory="},
	211: {"IOPRIO", "IOSchedulingPriority="},
	212: {"TIMERSLACK", "TimerSlackNSec="},
	213: {"SECUREBITS", "SecureBits="},
	214: {"SETSCHEDULER", "CPUSchedulingPolicy="},
	215: {"CPUAFFINITY", "CPUAffinity="},
	216: {"GROUP", "Group= or SupplementaryGroups="},
	217: {"USER", "User="},
	218: {"CAPABILITIES", "CapabilityBoundingSet= or AmbientCapabilities="},
	219: {"CGROUP", ""},
	220: {"SETSID", ""},
	221: {"CONFIRM", ""},
	222: {"STDERR", "StandardError="},
	224: {"PAM", "PAMName="},
	225: {"NETWORK", "PrivateNetwork="},
	226: {"NAMESPACE", "one of those that make a mount namespace, such as ReadOnlyPaths="},
	227: {"NO_NEW_PRIVILEGES", "NoNewPrivileges="},
	228: {"SECCOMP", "SystemCallFilter="},
	229: {"SELINUX_CONTEXT", "SELinuxContext="},
	230: {"PERSONALITY", "Personality="},
	231: {"APPARMOR", "AppArmorProfile="},
	232: {"ADDRESS_FAMILIES", "RestrictAddressFamilies="},
	233: {"RUNTIME_DIRECTORY", "RuntimeDirectory="},
	235: {"CHOWN", ""},
	236: {"SMACK_PROCESS_LABEL", "SmackProcessLabel="},
	237: {"KEYRING", "KeyringMode="},
	238: {"STATE_DIRECTORY", "StateDirectory="},
	239: {"CACHE_DIRECTORY", "CacheDirectory="},
	240: {"LOGS_DIRECTORY", "LogsDirectory="},
	241: {"CONFIGURATION_DIRECTORY", "ConfigurationDirectory="},
	242: {"NUMA_POLICY", "NUMAPolicy="},
	243: {"CREDENTIALS", "LoadCredential= or LoadCredentialEncrypted="},
	244: {"BPF", "RestrictFileSystems="},
}

// ExitStatusText is an exit status of a unit's main process for people, as systemctl(1) shows it:
// "exit status 2", or, where systemd could not run the program, "exit status 243/CREDENTIALS,
// which blames LoadCredential= or LoadCredentialEncrypted=".
func ExitStatusText(status int32) string {
	s, ok := startStatuses[status]
	switch {
	case !ok:
		return fmt.Sprintf("exit status %d", status)
	case s.setting == "":
		return fmt.Sprintf("exit status %d/%s", status, s.name)
	}
	return fmt.Sprintf("exit status %d/%s, which blames %s", status, s.name, s.setting)
}
