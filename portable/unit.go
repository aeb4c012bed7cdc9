package portable

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// unit is a service unit that somebody wrote, with its drop-ins.
type unit struct {
	name     string // "web.service", "tunnel@db.service"
	path     string
	system   bool // it is a unit of the system's manager
	settings []unitSetting
	machine  Machine // whose manager runs it
}

type unitSetting struct {
	tunnelfile.Assignment
	path string
}

// FromUnit finds the tunnels that a unit file runs; of a template those whose instances are
// enabled.
func (m Machine) FromUnit(path string) ([]Found, []tunnelfile.Problem) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, []tunnelfile.Problem{{Path: path, Message: withoutPath(err)}}
	}
	if text, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(text) == os.DevNull {
		return nil, nil // masked
	}
	names := []string{filepath.Base(path)}
	if prefix, ok := strings.CutSuffix(names[0], "@.service"); ok {
		names = m.instances(path, prefix)
		if len(names) == 0 && strings.Contains(string(text), "ssh") {
			return nil, []tunnelfile.Problem{{Path: path, Message: "is a template, and no instance of it is enabled: a link to it, named " + prefix + "@NAME.service, can be given here instead"}}
		}
	}
	var all []Found
	var problems []tunnelfile.Problem
	for _, name := range names {
		u := unit{name: name, path: path, machine: m, system: m.isSystemUnit(path)}
		if u.system && !m.System {
			u.machine.Home, u.machine.User, u.machine.UID, u.machine.Runtime = "/root", "root", "0", "/run"
		}
		u.add(path, string(text))
		dropIns, _ := filepath.Glob(filepath.Join(filepath.Dir(path), name+".d", "*.conf"))
		for _, dropIn := range dropIns {
			if text, err := os.ReadFile(dropIn); err == nil {
				u.add(dropIn, string(text))
			}
		}
		found, more := u.find(m)
		all, problems = append(all, found...), append(problems, more...)
	}
	return all, problems
}

// withoutPath is an error about a file for whom the path is told already.
func withoutPath(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

func (m Machine) isSystemUnit(path string) bool {
	dir := filepath.Dir(path)
	return slices.Contains([]string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}, dir)
}

// wantedBy are the links by which units of that name, or glob, start by themselves.
func (m Machine) wantedBy(path, pattern string) []string {
	dirs := []string{filepath.Dir(path)}
	if m.isSystemUnit(path) {
		dirs = append(dirs, "/etc/systemd/system")
	} else {
		dirs = append(dirs, filepath.Join(m.Config, "systemd/user"), "/etc/systemd/user")
	}
	slices.Sort(dirs)
	var links []string
	for _, dir := range slices.Compact(dirs) {
		for _, kind := range []string{"wants", "requires", "upholds"} {
			found, _ := filepath.Glob(filepath.Join(dir, "*."+kind, pattern))
			links = append(links, found...)
		}
	}
	return links
}

// instances are the names of a template's instances that start by themselves.
func (m Machine) instances(path, prefix string) []string {
	var names []string
	for _, link := range m.wantedBy(path, prefix+"@?*.service") {
		if name := filepath.Base(link); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// add reads the unit file, or a drop-in. What makes no sense there systemd skips too.
func (u *unit) add(path, text string) {
	assignments, _ := tunnelfile.Assignments(text)
	for _, a := range assignments {
		if a.Value == "" { // takes back what came before
			u.settings = slices.DeleteFunc(u.settings, func(s unitSetting) bool { return s.Section == a.Section && s.Key == a.Key })
			continue
		}
		u.settings = append(u.settings, unitSetting{a, path})
	}
}

// last is the value of a key that has one.
func (u *unit) last(section, key string) string {
	value := ""
	for _, s := range u.settings {
		if s.Section == section && s.Key == key {
			value = s.Value
		}
	}
	return value
}

// find finds the tunnels in ExecStart=.
func (u *unit) find(m Machine) (all []Found, problems []tunnelfile.Problem) {
	vars := u.environment()
	for _, s := range u.settings {
		if s.Section != "Service" || s.Key != "ExecStart" {
			continue
		}
		commands, err := u.commands(s.Value, vars)
		if err != nil {
			if strings.Contains(s.Value, "ssh") {
				problems = append(problems, tunnelfile.Problem{Path: s.path, Line: s.Line, Key: s.Key, Message: err.Error()})
			}
			continue
		}
		for _, c := range commands {
			c.line, c.env = s.Line, ofAutossh(vars)
			for _, inv := range u.machine.invocations(c, vars, 0) {
				f, ok, problem := source{path: s.path, dir: u.directory(), name: u.tunnelName(), sure: len(inv.args) > 0}.found(inv)
				if problem != nil {
					problems = append(problems, *problem)
				}
				if ok {
					u.complete(&f, m, vars, s.Value)
					all = append(all, f)
				}
			}
		}
	}
	return all, problems
}

// tunnelName is what the tunnel is called after.
func (u *unit) tunnelName() string {
	if u.path == StandardInput {
		return ""
	}
	return strings.TrimSuffix(u.name, ".service")
}

// directory is what a relative path begins in.
func (u *unit) directory() string {
	dir, err := u.expand(strings.TrimPrefix(u.last("Service", "WorkingDirectory"), "-"))
	switch {
	case err == nil && filepath.IsAbs(dir):
		return dir
	case dir == "~" || !u.system:
		return u.machine.Home
	}
	return "/"
}

// complete adds to a tunnel what the unit says besides its command.
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
	u.set(f, tunnelfile.SectionTunnel, "Start", string(start))
	if d, err := u.expand(u.last("Unit", "Description")); err == nil && d != "" {
		u.set(f, tunnelfile.SectionTunnel, "Description", d)
	}
	if user := u.last("Service", "User"); u.system && !m.System {
		if user == "" {
			user = "root"
		}
		if user != m.User {
			f.Notes = append(f.Notes, fmt.Sprintf("User=%s: the tunnel runs as you, with your keys and your ~/.ssh", user))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		// What stands in the command line has done its work.
		if !strings.HasPrefix(name, "AUTOSSH_") && !strings.Contains(execStart, "$"+name) && !strings.Contains(execStart, "${"+name) {
			u.set(f, tunnelfile.SectionService, "Environment", systemdctl.QuoteWord(escapeSpecifiers(name+"="+vars[name])))
		}
	}
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

// confines says whether a setting of [Service] keeps the process from something.
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

// ofProcesses are settings about how systemd handles a process that is no tunnel of its own.
var ofProcesses = []string{
	"Type", "Restart", "KillMode", "KillSignal", "NotifyAccess", "RemainAfterExit", "PIDFile", "GuessMainPID", "TimeoutStartSec", "TimeoutSec",
	"TimeoutStopSec", "TimeoutAbortSec", "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst", "SuccessExitStatus",
	"RestartPreventExitStatus", "ExecStop", "ExecReload", "WatchdogSec",
	"SendSIGKILL", "ExitType", "RestartSteps", "RestartMaxDelaySec", "Description", "Documentation", "DefaultDependencies",
	"ExecStart", "Environment", "EnvironmentFile", "WorkingDirectory", "User", "Group",
}

// ofNetwork are units that wait for a network, which the daemon watches itself, or that only say when a session has begun.
var ofNetwork = []string{
	"network.target", "network-online.target", "network-pre.target", "nss-lookup.target", "NetworkManager.service", "NetworkManager-wait-online.service",
	"systemd-networkd.service", "systemd-networkd-wait-online.service", "systemd-resolved.service", "default.target", "basic.target", "multi-user.target",
	"graphical-session.target", "graphical.target", "sshd.service", "ssh.service", "dbus.service", "dbus.socket", "time-sync.target",
}

// carry takes over a setting of [Unit] or [Service], or says why not.
func (u *unit) carry(f *Found, s unitSetting, m Machine) {
	leave := func(why string) { f.Notes = append(f.Notes, fmt.Sprintf("%s=%s: %s", s.Key, s.Value, why)) }
	switch {
	case s.Section == "Service" && u.system && m.System && (s.Key == "User" || s.Key == "Group"): // as whom the tunnel runs, too
	case s.Section != "Unit" && s.Section != "Service", slices.Contains(ofProcesses, s.Key):
		return
	case s.Key == "RestartSec":
		if span, err := tunnelfile.ParseSpan(s.Value); err != nil || tunnelfile.FormatSpan(span) != "5s" {
			leave("a tunnel tries again at once, and then after growing delays up to RetryMax=")
		}
		return
	case strings.HasPrefix(s.Key, "Exec"):
		leave("[Service] of a tunnel file takes it, if it is still needed; ExecUp= and ExecDown= run with each connection")
		return
	}
	value := s.Value
	if slices.Contains([]string{"After", "Before", "Wants", "Requires", "Requisite", "BindsTo", "PartOf", "Upholds"}, s.Key) {
		units := slices.DeleteFunc(strings.Fields(value), func(name string) bool { return slices.Contains(ofNetwork, name) })
		if len(units) == 0 {
			return
		}
		if u.system && !m.System {
			leave("is for the system's units")
			return
		}
		value = strings.Join(units, " ")
	}
	value, err := u.expand(value)
	value = escapeSpecifiers(value)
	if err == nil {
		scope := systemdctl.User
		if m.System {
			scope = systemdctl.System
		}
		_, errs := systemdctl.Properties(scope, s.Section, []systemdctl.Setting{{Key: s.Key, Value: value}})
		err = errs[0]
	}
	if err != nil {
		leave(err.Error())
		return
	}
	u.set(f, s.Section, s.Key, value)
}

// set writes a value into the tunnel's file, or notes that it cannot be written.
func (u *unit) set(f *Found, section, key, value string) {
	text, err := tunnelfile.Add(f.Text, section, key, value)
	if err != nil {
		f.Notes = append(f.Notes, err.Error())
		return
	}
	f.Text = text
}
