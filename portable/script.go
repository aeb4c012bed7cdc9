package portable

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/portable/shell"
	"github.com/holdfast/holdfast/tunnelfile"
)

// starter says who runs the commands of a text, and how.
type starter struct {
	name string // for the tunnels; empty: take it from the destination
	auto bool   // the commands start by themselves
	how  string // how they start, for people
	user string // the user they run as, if known
	todo string // how the user stops that; empty: by removing the command
	data bool   // the text is not a shell script
}

// fromScript finds the tunnels that a shell script starts.
func (s *search) fromScript() {
	text := s.text
	if first, rest, _ := strings.Cut(text, "\n"); strings.Contains(first, "execlineb") { // one command, on any number of lines
		before, _, _ := strings.Cut(withoutComments(text), "ssh")
		text = strings.Repeat("\n", strings.Count(before, "\n")) + strings.Join(strings.Fields(withoutComments(rest)), " ")
	}
	vars := s.machine.variables(nil)
	vars["0"] = s.path
	by := s.starter()
	read := shell.Read(text, vars)
	known := len(s.result.Found) + len(s.result.Problems)
	for _, c := range read.Commands {
		s.command(c, read.Vars, by)
	}
	if len(s.result.Found)+len(s.result.Problems) == known {
		s.fromVariables(read, by)
	}
	if read.Refused != nil {
		s.refuse(s.path, read.Refused.Line, read.Refused.Message)
	}
}

// fromVariables finds the tunnels of init scripts that only set variables for their framework (openrc-run(8),
// init-d-script(5), rc.subr(8)).
func (s *search) fromVariables(read *shell.Script, by starter) {
	for _, names := range [][]string{{"command", "command_args"}, {"DAEMON", "DAEMON_ARGS", "DAEMON_OPTS"}} {
		if read.Vars[names[0]] == "" {
			continue
		}
		c := shell.Command{Words: []string{read.Vars[names[0]]}}
		for _, name := range names {
			c.Lines = append(c.Lines, read.Assigned[name]...)
			if name != names[0] {
				c.Words = append(c.Words, strings.Fields(read.Vars[name])...)
			}
		}
		if len(c.Lines) == 0 {
			continue
		}
		c.Line = c.Lines[0]
		if by.user == "" {
			by.user, _, _ = strings.Cut(read.Vars["command_user"], ":")
		}
		s.command(c, read.Vars, by)
	}
}

// withoutComments removes the comments from each line of a text. It keeps the number of lines.
func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(withoutComment(line) + "\n")
	}
	return b.String()
}

// command finds tunnels in a command.
func (s *search) command(c shell.Command, vars map[string]string, by starter) {
	dir := s.directory()
	if by.user != "" || strings.HasPrefix(by.how, "cron") {
		dir = s.machine.Home
	}
	src := source{path: s.path, dir: dir, home: s.machine.Home, name: by.name, data: by.data}
	inside := c.Inside || len(c.Words) > 0 && c.Words[0] == "alias"
	for _, inv := range s.machine.invocations(c, vars, 0) {
		s.tell(s.path, c.Lines...)
		lines := c.Lines
		if inv.stdin {
			s.tell(s.path, c.StdinLines...)
			lines = slices.Concat(lines, c.StdinLines)
		}
		inv.line = s.lineOf(inv, lines)
		s.take(inv, src, func(f *Found) { s.complete(f, by, inside) })
	}
}

// lineOf is the line of an invocation. In a string of several lines, or in standard input, it is the
// exact line among lines, and not the first one of the command.
func (s *search) lineOf(inv invocation, lines []int) int {
	for _, line := range lines {
		if line >= inv.line && line <= len(s.lines) && inv.spelled != "" && strings.Contains(s.lines[line-1], inv.spelled) {
			return line
		}
	}
	return inv.line
}

// complete adds to a tunnel what by says about its start, its user, and what the user must do.
func (s *search) complete(f *Found, by starter, inside bool) {
	start := tunnelfile.StartManual
	f.Start = by.how
	switch {
	case by.auto && inside && strings.HasPrefix(by.how, "your"):
		f.Start = "a function or an alias starts it, when somebody calls it"
	case by.auto:
		start = tunnelfile.StartAuto
	}
	f.set(tunnelfile.SectionTunnel, "Start", string(start))
	switch {
	case by.user == "":
	case s.machine.System && by.user != "root":
		f.set(tunnelfile.SectionService, "User", by.user)
	case !s.machine.System && by.user != s.machine.User:
		f.Notes = append(f.Notes, fmt.Sprintf("it ran as %s; the tunnel runs as you, with your keys and your ~/.ssh", by.user))
	}
	todo := by.todo
	if todo == "" {
		todo = "take the command out of " + f.Places[0]
	}
	f.Todo = append(f.Todo, todo+", and end the ssh that it has started")
}

var (
	loginFiles = []string{".profile", ".bash_profile", ".bash_login", ".zprofile", ".zlogin", ".xprofile", ".xinitrc", ".xsession", ".xsessionrc"}
	shellFiles = []string{".bashrc", ".zshrc", ".kshrc", ".bash_aliases"}
)

// starter says who runs the script, mostly from its path.
func (s *search) starter() starter {
	base, dir := filepath.Base(s.path), filepath.Dir(s.path)
	above := filepath.Base(dir)
	switch {
	case base == "rc.local":
		return starter{auto: true, how: "rc.local starts it at boot", user: "root"}
	case strings.HasPrefix(above, "cron."):
		return starter{auto: true, how: above + " starts it", user: "root"}
	case slices.Contains(loginFiles, base) || above == "profile.d":
		return starter{auto: true, how: "your login starts it"}
	case slices.Contains(shellFiles, base):
		return starter{auto: true, how: "your shell starts it"}
	case base == "run" && above != "/":
		return starter{name: ValidName(above), auto: true, how: "a service supervisor starts it", todo: "take the service " + above + " out of its supervisor"}
	case above == "init.d" || above == "rc.d" || strings.Contains(s.text, "### BEGIN INIT INFO") || strings.HasPrefix(s.text, "#!/sbin/openrc-run"):
		return s.initScript(strings.TrimSuffix(base, ".sh"))
	}
	return starter{how: "a script starts it"}
}

// initScript says whether an init script is enabled.
func (s *search) initScript(name string) starter {
	by := starter{name: ValidName(name), how: name + " is not enabled", user: "root", todo: "disable " + name}
	if s.path == StandardInput {
		by.name, by.todo = "", "disable this init script"
	}
	for _, pattern := range []string{"/etc/rc[2-5].d/S*" + name, "/etc/runlevels/*/" + name} {
		if links, _ := filepath.Glob(pattern); len(links) > 0 {
			by.auto, by.how = true, name+" is enabled"
		}
	}
	return by
}
