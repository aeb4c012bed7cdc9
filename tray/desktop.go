package tray

import (
	"errors"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Desktop starts programs that the person has chosen.
type Desktop interface {
	// Terminal runs a command in a terminal window.
	Terminal(argv ...string) error
	// Open opens a file or a URL with the program that the person uses for it.
	Open(target string) error
	// Copy puts a text on the clipboard.
	Copy(text string) error
}

// Environment is the environment of the programs that a person uses. The tray's own environment
// differs: it has GTK settings that are meant only for the tray. Each entry is NAME=VALUE; the last
// entry of a name counts.
type Environment []string

// Get returns a variable's value, "" if it is not set.
func (e Environment) Get(name string) string {
	for _, entry := range slices.Backward(e) {
		if n, value, ok := strings.Cut(entry, "="); ok && n == name {
			return value
		}
	}
	return ""
}

// Programs is a Desktop that runs the programs in $PATH.
type Programs struct{ Environment Environment }

// start starts the first of these programs that is installed, with more arguments, and returns at
// once. stdin is the program's input; "" for none. missing is the error if none is installed.
func (p Programs) start(programs [][]string, stdin, missing string, more ...string) error {
	for _, program := range programs {
		path, err := exec.LookPath(program[0])
		if err != nil {
			continue
		}
		argv := slices.Concat([]string{path}, program[1:], more)
		if stdin == "" {
			argv = p.outside(argv)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = p.Environment
		if stdin != "" {
			cmd.Stdin = strings.NewReader(stdin)
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		go func() { _ = cmd.Wait() }()
		return nil
	}
	return errors.New(missing)
}

// outside returns a command line that starts the program as a unit of its own, if no_new_privs is
// set for the tray (prctl(2)). Programs that the tray starts itself inherit this setting, and then
// sudo(8) in a terminal fails.
func (p Programs) outside(argv []string) []string {
	bound, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	run, missing := exec.LookPath("systemd-run")
	if err != nil || bound == 0 || missing != nil {
		return argv
	}
	unit := []string{run, "--user", "--quiet", "--collect", "--slice=app.slice"}
	for _, entry := range p.Environment {
		name, _, _ := strings.Cut(entry, "=")
		unit = append(unit, "--setenv="+name)
	}
	return append(append(unit, "--"), argv...)
}

// terminals lists terminals in the order tried, each with the arguments that precede the command.
var terminals = [][]string{
	{"xdg-terminal-exec"}, {"x-terminal-emulator", "-e"}, {"gnome-terminal", "--"}, {"kgx", "--"}, {"konsole", "-e"},
	{"xfce4-terminal", "-x"}, {"mate-terminal", "-x"}, {"kitty"}, {"alacritty", "-e"}, {"foot"}, {"xterm", "-e"},
}

// Terminal uses $TERMINAL, else the first of terminals that is installed.
func (p Programs) Terminal(argv ...string) error {
	list := terminals
	if own := p.Environment.Get("TERMINAL"); own != "" {
		first := []string{own, "-e"}
		if i := slices.IndexFunc(terminals, func(t []string) bool { return t[0] == own }); i >= 0 {
			first = terminals[i]
		}
		list = append([][]string{first}, terminals...)
	}
	return p.start(list, "", "no terminal found; set TERMINAL", argv...)
}

// Open uses xdg-open(1).
func (p Programs) Open(target string) error {
	return p.start([][]string{{"xdg-open"}}, "", "xdg-open is missing (package xdg-utils)", target)
}

// Copy uses wl-copy on Wayland, else xclip or xsel.
func (p Programs) Copy(text string) error {
	tools := [][]string{{"xclip", "-selection", "clipboard"}, {"xsel", "-b", "-i"}}
	if p.Environment.Get("WAYLAND_DISPLAY") != "" {
		tools = append([][]string{{"wl-copy"}}, tools...)
	}
	return p.start(tools, text, "needs wl-copy, xclip or xsel")
}
