package portable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// complete adds the unit's other settings to a tunnel.
func (u *unit) complete(f *Found, m Machine, vars map[string]string, execStart string) {
	manager := "systemctl --user"
	if u.system {
		manager = "sudo systemctl"
		if m.System {
			manager = "systemctl"
		}
	}
	if u.path == StandardInput {
		f.Todo = append(f.Todo, "stop and disable the unit that this is")
	} else {
		f.Todo = append(f.Todo, fmt.Sprintf("%s disable --now %s", manager, u.name))
	}
	start := tunnelfile.StartManual
	f.Start = u.name + " is not enabled"
	if (u.last("Install", "WantedBy") != "" || u.last("Install", "RequiredBy") != "") && len(m.wantedBy(u.path, u.name)) > 0 {
		start = tunnelfile.StartAuto
		f.Start = u.name + " is enabled"
	}
	f.add(tunnelfile.SectionTunnel, "Start", string(start))
	if d, err := u.expand(u.last("Unit", "Description")); err == nil && d != "" {
		f.add(tunnelfile.SectionTunnel, "Description", d)
	}
	if user := cmp.Or(u.last("Service", "User"), "root"); u.system && !m.System && user != m.User {
		f.Notes = append(f.Notes, fmt.Sprintf("User=%s: the tunnel runs as you, with your keys and your ~/.ssh", user))
	}
	u.carryEnvironment(f, vars, execStart)
	var confining []string
	for _, s := range u.settings {
		if s.Section == "Service" && confines(s.Key) {
			confining = append(confining, s.Key+"=")
			continue
		}
		u.carry(f, s, m)
	}
	if len(confining) > 0 {
		f.Notes = append(f.Notes, strings.Join(confining, ", ")+": a tunnel's unit is confined in its own way; what ssh could do without, it may need")
	}
}

// carryEnvironment takes over Environment= and EnvironmentFile= of the unit. The content of a file is
// not copied, because it may be secret.
func (u *unit) carryEnvironment(f *Found, vars map[string]string, execStart string) {
	wanted := func(name string) bool { // variables of the command line are already expanded
		return name != "SSHPASS" && !strings.HasPrefix(name, "AUTOSSH_") && !strings.Contains(execStart, "$"+name) && !strings.Contains(execStart, "${"+name)
	}
	if _, has := vars["SSHPASS"]; has {
		f.Notes = append(f.Notes, "SSHPASS: the password; holdfast up asks for it and offers to remember it")
	}
	own := make(map[string]string)
	for _, s := range u.settings {
		switch {
		case s.Section != "Service":
		case s.Key == "Environment":
			u.assign(s.Value, own)
		case s.Key == "EnvironmentFile":
			path, err := u.expand(strings.TrimPrefix(s.Value, "-"))
			inFile := make(map[string]string)
			if err == nil {
				err = readEnvironment(path, inFile)
			}
			switch missing := errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(s.Value, "-"); {
			case err != nil && !missing:
				f.Notes = append(f.Notes, fmt.Sprintf("EnvironmentFile=%s: %s", s.Value, withoutPath(err)))
			case missing || slices.ContainsFunc(slices.Collect(maps.Keys(inFile)), wanted):
				optional := s.Value[:len(s.Value)-len(strings.TrimPrefix(s.Value, "-"))]
				f.add(tunnelfile.SectionService, "EnvironmentFile", optional+escapeSpecifiers(path))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if wanted(name) {
			f.add(tunnelfile.SectionService, "Environment", words.Quote(escapeSpecifiers(name+"="+own[name])))
		}
	}
}

// confines says whether a setting of [Service] confines the process.
func confines(key string) bool {
	for _, prefix := range []string{"Protect", "Private", "Restrict", "SystemCall", "Capability", "Ambient"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"NoNewPrivileges", "ProcSubset", "MountAPIVFS", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths",
		"BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage", "RemoveIPC", "LockPersonality",
		"MemoryDenyWriteExecute", "SecureBits", "KeyringMode", "UMask", "DynamicUser", "IPAddressAllow", "IPAddressDeny",
	}, key)
}

// ofProcesses are settings that are left out, and get no note: a tunnel's unit has its own values, or
// other code handles them.
var ofProcesses = []string{
	"Type", "Restart", "KillMode", "KillSignal", "NotifyAccess", "RemainAfterExit", "PIDFile", "GuessMainPID", "TimeoutStartSec", "TimeoutSec",
	"TimeoutStopSec", "TimeoutAbortSec", "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst", "SuccessExitStatus",
	"RestartPreventExitStatus", "ExecStop", "ExecReload", "WatchdogSec",
	"SendSIGKILL", "ExitType", "RestartSteps", "RestartMaxDelaySec", "Description", "Documentation", "DefaultDependencies",
	"ExecStart", "Environment", "EnvironmentFile", "WorkingDirectory", "User", "Group",
}

// ofNetwork are units that a tunnel need not wait for: they stand for the network, which the daemon
// watches, or for the start of a session.
var ofNetwork = []string{
	"network.target", "network-online.target", "network-pre.target", "nss-lookup.target", "NetworkManager.service", "NetworkManager-wait-online.service",
	"systemd-networkd.service", "systemd-networkd-wait-online.service", "systemd-resolved.service", "default.target", "basic.target", "multi-user.target",
	"graphical-session.target", "graphical.target", "sshd.service", "ssh.service", "dbus.service", "dbus.socket", "time-sync.target",
}

// ofUnits are settings of [Unit] whose value is a list of units.
var ofUnits = []string{"After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds"}

// carry takes over a setting of [Unit] or [Service], or adds a note that says why not.
func (u *unit) carry(f *Found, s unitSetting, m Machine) {
	value, why := u.carried(s, m)
	switch {
	case why != "":
		f.Notes = append(f.Notes, fmt.Sprintf("%s=%s: %s", s.Key, s.Value, why))
	case value != "":
		f.add(s.Section, s.Key, value)
	}
}

// carried is the value that a tunnel takes over from a setting, or why it takes none. Both are empty
// if the setting does not matter.
func (u *unit) carried(s unitSetting, m Machine) (value, why string) {
	value = s.Value
	switch {
	case s.Section == "Service" && u.system && m.System && (s.Key == "User" || s.Key == "Group"): // the tunnel runs as this user too
	case s.Section != "Unit" && s.Section != "Service", slices.Contains(ofProcesses, s.Key):
		return "", ""
	case s.Key == "RestartSec":
		if span, err := tunnelfile.ParseSpan(value); err != nil || tunnelfile.FormatSpan(span) != "5s" {
			return "", "a tunnel tries again at once, and then after growing delays up to RetryMax="
		}
		return "", ""
	case strings.HasPrefix(s.Key, "Exec"):
		return "", "[Service] of a tunnel file takes it, if it is still needed; ExecUp= and ExecDown= run with each connection"
	case slices.Contains(ofUnits, s.Key):
		value = strings.Join(slices.DeleteFunc(strings.Fields(value), func(name string) bool { return slices.Contains(ofNetwork, name) }), " ")
		switch {
		case value == "":
			return "", ""
		case u.system && !m.System:
			return "", "is for the system's units"
		}
	}
	value, err := u.expand(value)
	if err != nil {
		return "", err.Error()
	}
	value = escapeSpecifiers(value)
	scope := systemdctl.User
	if m.System {
		scope = systemdctl.System
	}
	if _, errs := systemdctl.Properties(scope, s.Section, []systemdctl.Setting{{Key: s.Key, Value: value}}); errs[0] != nil {
		return "", errs[0].Error()
	}
	return value, ""
}
