package portable

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// unit is a service unit that somebody wrote, with its drop-ins.
type unit struct {
	name     string // "web.service", "tunnel@db.service"
	path     string
	system   bool // the system's manager runs it, not a user's
	files    []unitFile
	settings []unitSetting
	dropped  []unitSetting // settings that an empty assignment has removed
	machine  Machine       // the user and the folders of its manager
}

type unitFile struct{ path, text string }

type unitSetting struct {
	tunnelfile.Assignment
	path string
}

// FromUnit finds the tunnels that a unit file runs. For a template it finds those of its enabled instances.
func (m Machine) FromUnit(path string) Result {
	text, err := os.ReadFile(path)
	if err != nil {
		return refused(path, withoutPath(err))
	}
	if target, err := filepath.EvalSymlinks(path); err == nil && target == os.DevNull {
		return Result{} // masked
	}
	names := []string{filepath.Base(path)}
	if prefix, ok := strings.CutSuffix(names[0], "@.service"); ok {
		names = m.instances(path, prefix, string(text))
		if len(names) == 0 && mentions(withoutComments(string(text))) {
			return refused(path, "is a template, and no instance of it is enabled: a link to it, named "+prefix+"@NAME.service, can be given here instead")
		}
	}
	s := m.search(path, string(text))
	for _, name := range names {
		u := m.unit(name, path)
		u.add(path, string(text))
		u.addDropIns()
		u.find(s)
	}
	return s.finish()
}

// fromUnitText finds the tunnels in the text of a unit or of a drop-in. path is its file, or [StandardInput].
func (m Machine) fromUnitText(path, text string) Result {
	name := "tunnel.service"
	if path != StandardInput {
		name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) + ".service"
	}
	if dir := filepath.Base(filepath.Dir(path)); strings.HasSuffix(dir, ".service.d") {
		name = strings.TrimSuffix(dir, ".d")
	}
	s := m.search(path, text)
	u := m.unit(name, path)
	u.add(path, text)
	u.find(s)
	return s.finish()
}

func (m Machine) unit(name, path string) *unit {
	return &unit{name: name, path: path, machine: m}
}

// decide finds out whether the unit is the system's or a user's: by its folder, or else by settings that
// only units of the system have.
func (u *unit) decide(m Machine) {
	switch {
	case strings.Contains(u.path, "/systemd/user/"):
	case m.isSystemUnit(u.path):
		u.system = true
	default:
		u.system = m.System || slices.ContainsFunc(u.settings, ofSystem)
	}
	if u.system && !m.System {
		u.machine.Home, u.machine.User, u.machine.UID, u.machine.Runtime = "/root", "root", "0", "/run"
	}
}

// ofSystem says whether only units of the system have a setting.
func ofSystem(s unitSetting) bool {
	switch s.Key {
	case "User", "Group", "SupplementaryGroups", "DynamicUser":
		return s.Section == "Service"
	case "WantedBy", "RequiredBy":
		return s.Section == "Install" && slices.ContainsFunc(strings.Fields(s.Value), func(unit string) bool {
			return slices.Contains([]string{"multi-user.target", "graphical.target", "network-online.target", "network.target", "sysinit.target"}, unit)
		})
	}
	return false
}

// addDropIns reads the drop-ins of a unit, see systemd.unit(5): those of its own name, its template, the
// prefixes of its name that end in a dash, and all services. Of drop-ins with the same file name the
// first one counts.
func (u *unit) addDropIns() {
	names := []string{u.name}
	stem, _, isInstance := strings.Cut(strings.TrimSuffix(u.name, ".service"), "@")
	if isInstance {
		names = append(names, stem+"@.service")
	}
	for i := strings.LastIndexByte(stem, '-'); i >= 0; i = strings.LastIndexByte(stem[:i], '-') {
		names = append(names, stem[:i+1]+".service")
	}
	names = append(names, "service")
	found := make(map[string]string) // paths, by file name
	for _, name := range names {
		for _, dir := range u.machine.unitDirs(u.path) {
			files, _ := filepath.Glob(filepath.Join(dir, name+".d", "*.conf"))
			for _, file := range files {
				if found[filepath.Base(file)] == "" {
					found[filepath.Base(file)] = file
				}
			}
		}
	}
	for _, base := range slices.Sorted(maps.Keys(found)) {
		if text, err := os.ReadFile(found[base]); err == nil {
			u.add(found[base], string(text))
		}
	}
}

// withoutPath is the text of an error without the file's path, for a message that has the path already.
func withoutPath(err error) string {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err.Error()
	}
	return err.Error()
}

// systemUnits are the folders of the system's units, in the order of precedence.
var systemUnits = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

func (m Machine) isSystemUnit(path string) bool { return strings.Contains(path, "/systemd/system/") }

// unitDirs are the folders with possible drop-ins and links of the unit at path.
func (m Machine) unitDirs(path string) []string {
	dirs := []string{filepath.Dir(path)}
	switch {
	case slices.Contains(systemUnits, dirs[0]):
		dirs = append(systemUnits[:2:2], dirs...)
	case !m.isSystemUnit(path):
		dirs = append(dirs, filepath.Join(m.Config, "systemd/user"), "/etc/systemd/user")
	}
	return dirs
}

// wantedBy are the links in .wants/ and similar folders that start units with a name that matches pattern.
func (m Machine) wantedBy(path, pattern string) []string {
	dirs := m.unitDirs(path)
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

// instances are the names of a template's enabled instances.
func (m Machine) instances(path, prefix, text string) []string {
	var names []string
	u := m.unit(filepath.Base(path), path)
	u.add(path, text)
	if instance := u.last("Install", "DefaultInstance"); instance != "" && len(m.wantedBy(path, prefix+"@"+instance+".service")) > 0 {
		names = append(names, prefix+"@"+instance+".service")
	}
	for _, link := range m.wantedBy(path, prefix+"@?*.service") {
		if name := filepath.Base(link); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// add reads the unit file or a drop-in. It ignores invalid lines, as systemd does.
func (u *unit) add(path, text string) {
	u.files = append(u.files, unitFile{path, text})
	assignments, _ := tunnelfile.Assignments(text)
	for _, a := range assignments {
		if a.Value == "" { // an empty value removes the ones before
			u.settings = slices.DeleteFunc(u.settings, func(s unitSetting) bool {
				is := s.Section == a.Section && s.Key == a.Key
				if is {
					u.dropped = append(u.dropped, s)
				}
				return is
			})
			continue
		}
		u.settings = append(u.settings, unitSetting{a, path})
	}
}

// joinedLines joins each continued line with the next ones. Empty lines replace those, so that line
// numbers stay.
func joinedLines(text string) string {
	var b strings.Builder
	empty := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if rest, continued := strings.CutSuffix(line, `\`); continued {
			b.WriteString(rest + " ")
			empty += "\n"
			continue
		}
		b.WriteString(line + "\n" + empty)
		empty = ""
	}
	return b.String()
}

// last is the last value of a key; "" if it has none.
func (u *unit) last(section, key string) string {
	value := ""
	for _, s := range u.settings {
		if s.Section == section && s.Key == key {
			value = s.Value
		}
	}
	return value
}

// find finds the tunnels in the commands of the unit.
func (u *unit) find(search *search) {
	m := search.machine
	u.decide(m)
	vars := u.environment()
	before := len(search.result.Found) + len(search.result.Problems)
	for _, file := range u.files {
		search.sweepsText(file.path, joinedLines(file.text))
	}
	for _, s := range u.dropped {
		if mentions(s.Value) {
			search.pass(s.path, s.Line, s.Key+"= is taken back by an empty one that follows")
		}
	}
	for _, s := range u.settings {
		if s.Section == "Service" && strings.HasPrefix(s.Key, "Exec") {
			u.exec(search, s, vars)
		}
	}
	if len(search.result.Found)+len(search.result.Problems) == before {
		return
	}
	for _, s := range u.settings { // the other settings are handled with the command
		if !strings.HasPrefix(s.Key, "Exec") {
			search.tell(s.path, s.Line)
		}
	}
}

// exec finds the tunnels in one Exec…= setting of the unit.
func (u *unit) exec(search *search, s unitSetting, vars map[string]string) {
	commands, err := u.commands(s.Value, vars)
	if err != nil {
		if mentions(s.Value) {
			search.tell(s.path, s.Line)
			search.result.Problems = append(search.result.Problems, tunnelfile.Problem{Path: s.path, Line: s.Line, Key: s.Key, Message: err.Error()})
		}
		return
	}
	src := source{path: s.path, dir: u.directory(), home: u.machine.Home, name: u.tunnelName()}
	for _, c := range commands {
		c.Line, c.Env = s.Line, ofAutossh(vars)
		for _, inv := range u.machine.invocations(c, vars, 0) {
			switch s.Key {
			case "ExecStart":
				src.sure = len(inv.args) > 0
			case "ExecStartPre", "ExecStartPost":
			default:
				inv = invocation{line: s.Line, none: s.Key + "= runs it when the unit stops or is asked to reload"}
			}
			search.take(inv, src, func(f *Found) { u.complete(f, search.machine, vars, s.Value) })
		}
	}
}

// tunnelName is the tunnel's name, from the unit's; "" if the unit has none.
func (u *unit) tunnelName() string {
	if u.path == StandardInput {
		return ""
	}
	return ValidName(strings.TrimSuffix(u.name, ".service"))
}

// directory is the folder of relative paths in the unit's commands.
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
