package portable

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
	"mvdan.cc/sh/v3/syntax"
)

// invocation is one run of ssh or autossh.
type invocation struct {
	autossh bool
	args    []string
	env     map[string]string // given to it alone
	line    int               // in the text that it was found in; 0: the whole of it
	notes   []string
	unknown string // as in shellCommand
	problem string // why the text that it would stand in cannot be read; there is no run then
}

// wrappers are programs that run another, and what goes lost without them.
var wrappers = map[string]string{
	"env": "", "nice": "", "ionice": "", "chrt": "", "nohup": "", "setsid": "", "time": "", "stdbuf": "",
	"systemd-cat": "", "systemd-inhibit": "", "systemd-run": "", "dbus-run-session": "", "screen": "", "tmux": "", "flock": "",
	"start-stop-daemon": "", "script": "", "unbuffer": "", "watch": "",
	"timeout":      "it ended after a time; RuntimeMaxSec= in [Service] would do that",
	"sudo":         "it ran as another user; the tunnel runs as you",
	"doas":         "it ran as another user; the tunnel runs as you",
	"runuser":      "it ran as another user; the tunnel runs as you",
	"su":           "it ran as another user; the tunnel runs as you",
	"sshpass":      "the password: holdfast up asks for it and offers to remember it",
	"proxychains":  "the proxy; ProxyCommand= in [SSH] can go through one",
	"proxychains4": "the proxy; ProxyCommand= in [SSH] can go through one",
	"torsocks":     "the proxy; ProxyCommand= in [SSH] can go through one",
	"torify":       "the proxy; ProxyCommand= in [SSH] can go through one",
}

var shells = []string{"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"}

// deepest is how far commands within commands are followed.
const deepest = 4

// invocations are the runs of ssh and autossh in a command.
func (m Machine) invocations(c shellCommand, vars map[string]string, depth int) []invocation {
	if len(c.words) == 0 || depth > deepest {
		return nil
	}
	program := filepath.Base(c.words[0])
	lost, isWrapper := wrappers[program]
	switch {
	case program == "ssh" || program == "autossh":
		return []invocation{{autossh: program == "autossh", args: c.words[1:], env: c.env, line: c.line, unknown: c.unknown}}
	case slices.Contains(shells, program):
		return m.inShell(c, vars, depth)
	case !isWrapper:
		return m.inScript(c, vars, depth)
	}
	for i, word := range c.words[1:] {
		inner := c
		inner.words = c.words[i+1:]
		base := filepath.Base(word)
		_, again := wrappers[base]
		switch {
		case word == "-c" && slices.Contains([]string{"su", "runuser", "script", "flock"}, program) && i+2 < len(c.words):
			inner.words = append([]string{"sh"}, c.words[i+1:i+3]...)
		case base == "ssh" || base == "autossh" || again || slices.Contains(shells, base):
		default:
			if name, value, ok := strings.Cut(word, "="); ok && syntax.ValidName(name) {
				c.env = merged(c.env, map[string]string{name: value})
			}
			continue
		}
		found := m.invocations(inner, vars, depth+1)
		for j := range found {
			if lost != "" {
				found[j].notes = append(found[j].notes, fmt.Sprintf("%s: %s", program, lost))
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// merged is all of them in one; of a name the last counts.
func merged(all ...map[string]string) map[string]string {
	one := make(map[string]string)
	for _, vars := range all {
		maps.Copy(one, vars)
	}
	return one
}

// inShell are those in sh -c TEXT, or in sh FILE.
func (m Machine) inShell(c shellCommand, vars map[string]string, depth int) []invocation {
	rest := c.words[1:]
	if filepath.Base(c.words[0]) == "busybox" && len(rest) > 0 {
		rest = rest[1:]
	}
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		option := rest[0]
		rest = rest[1:]
		if len(option) > 1 && option[1] != '-' && strings.Contains(option, "c") && len(rest) > 0 {
			return m.inText(filepath.Base(c.words[0])+" "+option, rest[0], c, vars, rest[1:], depth)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	c.words = rest
	return m.inScript(c, vars, depth)
}

// inScript are those in a script of the person's that the command runs.
func (m Machine) inScript(c shellCommand, vars map[string]string, depth int) []invocation {
	path := c.words[0]
	if !filepath.IsAbs(path) {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > tunnelfile.MaxFileSize {
		return nil
	}
	text, err := os.ReadFile(path)
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if err != nil || !bytes.HasPrefix(first, []byte("#!")) || !bytes.Contains(first, []byte("sh")) {
		return nil
	}
	found := m.inText(path, string(text), c, vars, c.words, depth)
	for i := range found {
		found[i].notes = append(found[i].notes, "what else "+path+" does")
	}
	return found
}

// inText are those in the text of a script that a command runs, and that stands at a place;
// positional are its $0, $1 and so on.
func (m Machine) inText(place, text string, c shellCommand, vars map[string]string, positional []string, depth int) []invocation {
	inner := merged(m.variables(vars), c.env)
	for i, word := range positional {
		inner[strconv.Itoa(i)] = word
	}
	var found []invocation
	commands, refused := shellCommands(text, inner)
	for _, command := range commands {
		command.line = c.line
		command.env = merged(c.env, command.env)
		if command.unknown == "" {
			command.unknown = c.unknown
		}
		found = append(found, m.invocations(command, inner, depth+1)...)
	}
	if refused != nil && strings.Contains(text, "ssh") {
		refused.Path = place
		found = append(found, invocation{line: c.line, problem: refused.Error()})
	}
	return found
}

// source is what invocations were found in.
type source struct {
	path string
	dir  string // that relative paths begin in
	name string // of the tunnel; empty: its destination's
	sure bool   // what runs ssh there is a tunnel
}

// found is the tunnel that an invocation makes; false: it makes none.
func (s source) found(inv invocation) (f Found, ok bool, problem *tunnelfile.Problem) {
	f.problem = tunnelfile.Problem{Path: s.path, Line: inv.line}
	complain := func(message string) (Found, bool, *tunnelfile.Problem) {
		p := f.Problem(message)
		return Found{}, false, &p
	}
	if inv.problem != "" {
		return complain(inv.problem)
	}
	carried, err := tunnelfile.CarryOver(inv.args, s.dir)
	if !carried.Forwards && !carried.NoCommand && !inv.autossh && !s.sure {
		return Found{}, false, nil
	}
	if inv.unknown != "" {
		return complain(inv.unknown + ": what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel")
	}
	if err != nil {
		return complain(err.Error())
	}
	f.Text, f.Places = carried.Text, []string{placeOf(s.path, inv.line)}
	if file := carried.Config; file != "" && file != "none" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(s.dir, file)
		}
		if problem := f.takeFile(file); problem != nil {
			return Found{}, false, problem
		}
	}
	f.Notes = slices.Concat(f.Notes, carried.LeftOut, inv.notes, autosshNotes(inv.env))
	f.Name = s.name
	if f.Name == "" {
		t, _ := tunnelfile.Parse("", "", carried.Text)
		_, host, _ := tunnelfile.DestinationParts(t.Destination)
		f.Name = host
	}
	f.Name = ValidName(f.Name)
	return f, true, nil
}

func placeOf(path string, line int) string {
	if line == 0 {
		return path
	}
	return fmt.Sprintf("%s:%d", path, line)
}

// autosshNotes are what a tunnel does of its own where AUTOSSH_… says how autossh does it.
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
