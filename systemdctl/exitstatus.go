package systemdctl

import "fmt"

// startStatuses are the exit statuses of a unit whose program systemd could not start, with the
// setting that is the cause; see systemd.exec(5), "Process Exit Codes".
var startStatuses = map[int32]string{
	200: "CHDIR, which blames WorkingDirectory=",
	201: "NICE, which blames Nice=",
	203: "EXEC",
	205: "LIMITS, which blames one of Limit…=",
	206: "OOM_ADJUST, which blames OOMScoreAdjust=",
	209: "STDOUT, which blames StandardOutput=",
	216: "GROUP, which blames Group= or SupplementaryGroups=",
	217: "USER, which blames User=",
	218: "CAPABILITIES, which blames CapabilityBoundingSet= or AmbientCapabilities=",
	222: "STDERR, which blames StandardError=",
	226: "NAMESPACE, which blames one of those that make a mount namespace, such as ReadOnlyPaths=",
	227: "NO_NEW_PRIVILEGES, which blames NoNewPrivileges=",
	228: "SECCOMP, which blames SystemCallFilter=",
	232: "ADDRESS_FAMILIES, which blames RestrictAddressFamilies=",
	233: "RUNTIME_DIRECTORY, which blames RuntimeDirectory=",
	235: "CHOWN",
	237: "KEYRING, which blames KeyringMode=",
	238: "STATE_DIRECTORY, which blames StateDirectory=",
	243: "CREDENTIALS, which blames LoadCredential= or LoadCredentialEncrypted=",
}

// ExitStatusText is an exit status of a unit's main process for people, as systemctl(1) shows it:
// "exit status 2", or, if systemd could not start the program, "exit status 243/CREDENTIALS, which
// blames LoadCredential= or LoadCredentialEncrypted=".
func ExitStatusText(status int32) string {
	if blame, ok := startStatuses[status]; ok {
		return fmt.Sprintf("exit status %d/%s", status, blame)
	}
	return fmt.Sprintf("exit status %d", status)
}
