package portable

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/portable/shell"
	"github.com/holdfast/holdfast/tunnelfile"
	"mvdan.cc/sh/v3/syntax"
)

// invocation is one run of ssh or autossh.
type invocation struct {
	autossh bool
	args    []string
	env     map[string]string // variables set for this run alone
	line    int               // in the text where it was found; 0: the text as a whole
	spelled string            // the text of its line, if it is in a string that a command runs
	stdin   bool              // it was found in a command's standard input
	notes   []string
	unknown string // as in shell.Command
	problem string // why the text there cannot be read; then args is not set
	none    string // why it is no tunnel; then args is not set
}

// wrappers are programs that run another one, by what is lost without them.
var wrappers = byProgram(map[string]string{
	"": `env nice ionice chrt nohup setsid time stdbuf eval trap alias systemd-cat systemd-inhibit systemd-run dbus-run-session screen
		tmux flock taskset start-stop-daemon daemon daemonize script unbuffer watch ssh-agent xargs`,
	"it ended after a time; RuntimeMaxSec= in [Service] would do that": "timeout",
	"it ran as another user; the tunnel runs as you":                   "sudo doas runuser su chpst setuidgid s6-setuidgid gosu su-exec",
	"it ran in a container; the tunnel runs here":                      "docker podman",
	"the password: holdfast up asks for it and offers to remember it":  "sshpass",
	"the proxy; ProxyCommand= in [SSH] can go through one":             "proxychains proxychains4 torsocks torify",
})

// bystanders are programs that may have ssh among their arguments but run no tunnel, by what they do.
var bystanders = byProgram(map[string]string{
	"only prints or looks for it; nothing is run": "echo printf cat grep egrep fgrep rg pgrep pidof ps awk sed logger notify-send which type whereis man test [ [[ head tail journalctl",
	"ends it, and runs none":                      "pkill kill killall fuser",
	"is about a package or a service of that name": "apt apt-get aptitude dpkg dnf yum rpm pacman apk zypper brew systemctl service rc-service " +
		"update-rc.d chkconfig rc-update ufw firewall-cmd iptables",
	"uses ssh for itself": "rsync scp sftp sshfs git borg restic rclone mosh svn unison ansible ansible-playbook",
	"is about its files":  "cd mkdir chmod chown cp mv rm ln ls touch install tar vi vim nano",
})

// byProgram turns a map to lists of programs into a map from each program.
func byProgram(lists map[string]string) map[string]string {
	all := make(map[string]string)
	for key, programs := range lists {
		for program := range strings.FieldsSeq(programs) {
			all[program] = key
		}
	}
	return all
}

var shells = []string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"}

// deepest is how many levels of commands within commands are followed.
const deepest = 8

// invocations finds the runs of ssh and autossh in a command, also behind other programs.
func (m Machine) invocations(c shell.Command, vars map[string]string, depth int) []invocation {
	if len(c.Words) == 0 || depth > deepest {
		return nil
	}
	program := filepath.Base(strings.TrimLeft(c.Words[0], "@+-")) // without the prefixes of make(1)
	lost, isWrapper := wrappers[program]
	switch does := bystanders[program]; {
	case program == "ssh" || program == "autossh":
		return []invocation{{autossh: program == "autossh", args: c.Words[1:], env: c.Env, line: c.Line, unknown: c.Unknown}}
	case slices.Contains(shells, program):
		return m.inShell(c, vars, depth)
	case slices.Contains([]string{"at", "batch", "crontab"}, program):
		return m.inText(program, withoutSchedules(c.Stdin), c, vars, nil, depth)
	case interpreters.MatchString(program):
		return m.inCode(c, vars, depth)
	case does != "" && slices.ContainsFunc(c.Words[1:], mentions):
		return []invocation{{line: c.Line, none: program + " " + does}}
	case does != "":
		return nil
	case !isWrapper:
		if found := m.inScript(c, vars, depth); len(found) > 0 {
			return found
		}
		lost = "what it does around ssh"
	}
	found := m.behind(program, c, vars, depth)
	if lost != "" {
		note(found, program+": "+lost)
	}
	return found
}

// note adds a note to each invocation.
func note(all []invocation, text string) {
	for i := range all {
		all[i].notes = append(all[i].notes, text)
	}
}

// interpreters are programs that run code in a language of their own.
var interpreters = regexp.MustCompile(`^(python|perl|ruby|node|php|lua|tclsh|expect)[\d.]*$`)

// inCode finds invocations in arguments that are code for an interpreter, such as after -c or -e.
func (m Machine) inCode(c shell.Command, vars map[string]string, depth int) (found []invocation) {
	for _, word := range c.Words[1:] {
		if !strings.Contains(word, " ") || !mentions(word) {
			continue
		}
		for _, inner := range m.foreignCommands(word) {
			inner.Line, inner.Env = c.Line, c.Env
			found = append(found, m.invocations(inner, vars, depth+1)...)
		}
	}
	return found
}

// withoutSchedules removes the schedules from the lines of a crontab(5).
func withoutSchedules(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(line[len(schedulePattern.FindString(line)):])
	}
	return b.String()
}

// optionPattern is an option or a name with its value in the same word: --exec=, NAME=.
var optionPattern = regexp.MustCompile(`^[-\w.]+=`)

// behind finds invocations in the arguments of a program that runs other programs: as words, or as text
// for a shell.
func (m Machine) behind(program string, c shell.Command, vars map[string]string, depth int) (found []invocation) {
	_, isWrapper := wrappers[program]
	if program == "eval" {
		return m.inText(program, strings.Join(c.Words[1:], " "), c, vars, nil, depth)
	}
	for i, word := range c.Words[1:] {
		inner := c
		inner.Words = c.Words[i+1:]
		if end := slices.Index(inner.Words, ";"); end > 0 { // the end of find -exec, or of a tmux command
			inner.Words = inner.Words[:end]
		}
		base := filepath.Base(optionPattern.ReplaceAllString(word, ""))
		_, again := wrappers[base]
		isProgram := base == "ssh" || base == "autossh" || again || slices.Contains(shells, base)
		name, value, assigns := strings.Cut(word, "=")
		switch {
		case program == "start-stop-daemon":
			if isProgram {
				if dashes := slices.Index(inner.Words, "--"); dashes >= 0 {
					inner.Words = append([]string{base}, inner.Words[dashes+1:]...)
				} else {
					inner.Words = inner.Words[:1]
				}
				return m.invocations(inner, vars, depth+1)
			}
		case isProgram && !strings.Contains(word, " "):
			inner.Words = append([]string{base}, inner.Words[1:]...)
			these := m.invocations(inner, vars, depth+1)
			if len(these) > 0 || again { // the words after a wrapper are its own
				return append(found, these...)
			}
		case strings.ContainsAny(word, " \t\n") && mentions(word) && (program == "alias" || !assigns || !syntax.ValidName(name)):
			text := typedEnd.ReplaceAllString(optionPattern.ReplaceAllString(word, ""), "")
			found = append(found, m.inText(program, text, c, vars, nil, depth)...)
		case assigns && syntax.ValidName(name):
			c.Env = merged(c.Env, map[string]string{name: value})
		case isWrapper && filepath.IsAbs(word):
			found = append(found, m.inScript(inner, vars, depth)...)
		}
	}
	return found
}

// typedEnd is the Enter key at the end of a command that is typed into a terminal (screen, tmux).
var typedEnd = regexp.MustCompile(`\s*(\^M|\\n|\\r|\\015)+\s*$`)

// merged merges maps of variables. If a name is in several, the last one counts.
func merged(all ...map[string]string) map[string]string {
	one := make(map[string]string)
	for _, vars := range all {
		maps.Copy(one, vars)
	}
	return one
}

// inShell finds invocations in sh -c TEXT, in sh FILE, or in the standard input of sh.
func (m Machine) inShell(c shell.Command, vars map[string]string, depth int) []invocation {
	rest := c.Words[1:]
	if filepath.Base(c.Words[0]) == "busybox" && len(rest) > 0 {
		c.Words = rest
		return m.invocations(c, vars, depth+1)
	}
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		option := rest[0]
		rest = rest[1:]
		if len(option) > 1 && option[1] != '-' && strings.Contains(option, "c") && len(rest) > 0 {
			return m.inText(filepath.Base(c.Words[0])+" "+option, rest[0], c, vars, rest[1:], depth)
		}
	}
	if len(rest) == 0 {
		return m.inText(filepath.Base(c.Words[0]), c.Stdin, c, vars, nil, depth)
	}
	c.Words = rest
	return m.inScript(c, vars, depth)
}

// inScript finds invocations in a shell script that the command runs by an absolute path.
func (m Machine) inScript(c shell.Command, vars map[string]string, depth int) []invocation {
	path := c.Words[0]
	if !filepath.IsAbs(path) {
		return nil
	}
	text, ok := shell.ReadFile(path)
	first, _, _ := strings.Cut(text, "\n")
	if !ok || !strings.HasPrefix(first, "#!") || !strings.Contains(first, "sh") {
		return nil
	}
	found := m.inText(path, text, c, vars, c.Words, depth)
	note(found, "what else "+path+" does")
	return found
}

// inText finds invocations in the text of a script that a command runs. place names the text for people.
// positional are its $0, $1 and so on.
func (m Machine) inText(place, text string, c shell.Command, vars map[string]string, positional []string, depth int) []invocation {
	inner := merged(m.variables(vars), c.Env)
	for i, word := range positional {
		inner[strconv.Itoa(i)] = word
	}
	var found []invocation
	lines := strings.Split(text, "\n")
	add := func(line int, these ...invocation) {
		for _, inv := range these {
			if inv.spelled == "" && line <= len(lines) {
				inv.spelled = strings.TrimSpace(lines[line-1])
			}
			inv.stdin = inv.stdin || text == c.Stdin
			found = append(found, inv)
		}
	}
	read := shell.Read(text, inner)
	told := make(map[int]bool)
	for _, command := range read.Commands {
		number := command.Line
		command.Line = c.Line
		command.Env = merged(c.Env, command.Env)
		if command.Unknown == "" {
			command.Unknown = c.Unknown
		}
		these := m.invocations(command, read.Vars, depth+1)
		for _, line := range command.Lines {
			told[line] = told[line] || len(these) > 0
		}
		add(number, these...)
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if !told[number] && mentions(withoutComment(line)) && (read.Refused == nil || read.Refused.Line != number) {
			add(number, invocation{line: c.Line, problem: fmt.Sprintf("%s:%d: mentions ssh, and what runs there cannot be told; %s", place, number, addInstead)})
		}
	}
	if read.Refused != nil && strings.Contains(text, "ssh") {
		read.Refused.Path = place
		add(read.Refused.Line, invocation{line: c.Line, problem: read.Refused.Error()})
	}
	return found
}

// source is the file where invocations were found.
type source struct {
	path string
	dir  string // the folder of relative paths
	home string // the user's, for -F
	name string // for the tunnel; empty: take it from the destination
	sure bool   // every run of ssh there is a tunnel
	data bool   // the text is not a shell script: the arguments of ssh may be elsewhere
}

// found makes a tunnel of an invocation. If it cannot, it says why the invocation is refused, or why it
// is none.
func (s source) found(inv invocation) (f Found, refused, none string) {
	f.problem = tunnelfile.Problem{Path: s.path, Line: inv.line}
	if inv.problem != "" || inv.none != "" {
		return f, inv.problem, inv.none
	}
	carried, err := tunnelfile.CarryOver(inv.args, s.dir)
	device := slices.IndexFunc(carried.LeftOut, func(note string) bool { return strings.HasPrefix(note, "-w ") })
	switch {
	case s.data && len(inv.args) == 0:
		return f, "what follows ssh is not written here; " + addInstead, ""
	case device >= 0 && !carried.Forwards:
		return f, carried.LeftOut[device], ""
	case !carried.Forwards && !carried.NoCommand && !inv.autossh && !s.sure:
		return f, "", text.Bound(shellLine(append([]string{"ssh"}, inv.args...)), 60) + ": neither forwards nor -N"
	case inv.unknown != "":
		return f, inv.unknown + ": what it stands for is not known here; " + addInstead, ""
	case err != nil:
		return f, err.Error(), ""
	}
	f.Text, f.Places = carried.Text, []string{placeOf(s.path, inv.line)}
	if file := carried.Config; file != "" && file != "none" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(s.dir, file)
		}
		if problem := f.takeFile(file, s.home); problem != nil {
			return f, problem.Message, ""
		}
	}
	f.Notes = slices.Concat(f.Notes, carried.LeftOut, inv.notes, autosshNotes(inv.env))
	f.name(s.name)
	return f, "", ""
}

// set writes a value into the tunnel's file. If that is not valid, it adds a note.
func (f *Found) set(section, key, value string) {
	f.accept(tunnelfile.Set(f.Text, section, key, []string{value}))
}

// add is set, for one more value after those that the key has.
func (f *Found) add(section, key, value string) {
	f.accept(tunnelfile.Add(f.Text, section, key, value))
}

func (f *Found) accept(text string, err error) {
	if err != nil {
		f.Notes = append(f.Notes, err.Error())
		return
	}
	f.Text = text
}

func placeOf(path string, line int) string {
	if line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d", path, line)
}

// autosshNotes says for each AUTOSSH_… variable what a tunnel does instead.
func autosshNotes(env map[string]string) []string {
	var notes []string
	for _, v := range []struct{ name, why string }{
		{"AUTOSSH_POLL", "ServerAliveInterval= asks a link that is idle, every 10 s where nobody says otherwise"},
		{"AUTOSSH_FIRST_POLL", "ServerAliveInterval= asks a link that is idle, every 10 s where nobody says otherwise"},
		{"AUTOSSH_MAXSTART", "a tunnel does not give up"},
		{"AUTOSSH_MAXLIFETIME", "RuntimeMaxSec= in [Service] would do that"},
	} {
		if value, ok := env[v.name]; ok {
			notes = append(notes, fmt.Sprintf("%s=%s: %s", v.name, value, v.why))
		}
	}
	return notes
}
