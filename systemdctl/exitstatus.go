package systemdctl

import "fmt"

// startStatuses are those by which systemd says that a setting kept it from running a unit's
// program, and that setting; see systemd.exec(5), "Process Exit Codes".
var startStatuses = map[int32]struct{ name, setting string }{
	200: {"CHDIR", "WorkingDirectory="},
	201: {"NICE", "Nice="},
	203: {"EXEC", ""},
	205: {"LIMITS", "one of Limit…="},
	206: {"OOM_ADJUST", "OOMScoreAdjust="},
	209: {"STDOUT", "StandardOutput="},
	216: {"GROUP", "Group= or SupplementaryGroups="},
	217: {"USER", "User="},
	218: {"CAPABILITIES", "CapabilityBoundingSet= or AmbientCapabilities="},
	222: {"STDERR", "StandardError="},
	226: {"NAMESPACE", "one of those that make a mount namespace, such as ReadOnlyPaths="},
	227: {"NO_NEW_PRIVILEGES", "NoNewPrivileges="},
	228: {"SECCOMP", "SystemCallFilter="},
	232: {"ADDRESS_FAMILIES", "RestrictAddressFamilies="},
	233: {"RUNTIME_DIRECTORY", "RuntimeDirectory="},
	235: {"CHOWN", ""},
	237: {"KEYRING", "KeyringMode="},
	238: {"STATE_DIRECTORY", "StateDirectory="},
	243: {"CREDENTIALS", "LoadCredential= or LoadCredentialEncrypted="},
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
