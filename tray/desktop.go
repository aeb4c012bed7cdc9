package tray

import (
	"errors"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Desktop is what the tray has others do: programs of the person's own choice.
type Desktop interface {
	// Terminal runs a command in a terminal window.
	Terminal(argv ...string) error
	// Open opens a file or an address with whatever is meant for it.
	Open(target string) error
	// Copy puts a text on the clipboard.
	Copy(text string) error
}

// Environment is that of a person's programs, which is not the tray's own: what GTK is
// told there is meant for a tray. Each is NAME=VALUE; the last of a name counts.
type Environment []string

// Get is a variable's value, "" where it is not set.
func (e Environment) Get(name string) string {
	for _, entry := range slices.Backward(e) {
		if n, value, ok := strings.Cut(entry, "="); ok && n == name {
			return value
		}
	}
	return ""
}

// Programs is the Desktop made of the programs in $PATH.
type Programs struct {
	Environment Environment
	LookPath    func(string) (string, error)
}

// NewPrograms starts them in this environment.
func NewPrograms(e Environment) Programs { return Programs{e, exec.LookPath} }

// start starts a program that goes on by itself, and gives it its input.
func (p Programs) start(stdin string, argv ...string) error {
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

// outside is how a program is started as a unit of its own, where what the tray starts itself
// may not gain privileges, as sudo(8) in a terminal does.
func (p Programs) outside(argv []string) []string {
	bound, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	run, missing := p.LookPath("systemd-run")
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

// terminals is what each terminal is told before what it is to run, in the order tried.
var terminals = [][]string{
	{"xdg-terminal-exec"}, {"x-terminal-emulator", "-e"}, {"gnome-terminal", "--"}, {"kgx", "--"}, {"konsole", "-e"},
	{"xfce4-terminal", "-x"}, {"mate-terminal", "-x"}, {"kitty"}, {"alacritty", "-e"}, {"foot"}, {"xterm", "-e"},
}

// Terminal uses $TERMINAL, or the first terminal there is.
func (p Programs) Terminal(argv ...string) error {
	list := terminals
	if own := p.Environment.Get("TERMINAL"); own != "" {
		first := []string{own, "-e"}
		if i := slices.IndexFunc(terminals, func(t []string) bool { return t[0] == own }); i >= 0 {
			first = terminals[i]
		}
		list = append([][]string{first}, terminals...)
	}
	for _, t := range list {
		if path, err := p.LookPath(t[0]); err == nil {
			return p.start("", slices.Concat([]string{path}, t[1:], argv)...)
		}
	}
	return errors.New("no terminal found; set TERMINAL")
}

// Open uses xdg-open(1).
func (p Programs) Open(target string) error {
	path, err := p.LookPath("xdg-open")
	if err != nil {
		return errors.New("xdg-open is missing (package xdg-utils)")
	}
	return p.start("", path, target)
}

// Copy uses wl-copy on Wayland, else xclip or xsel.
func (p Programs) Copy(text string) error {
	tools := [][]string{{"xclip", "-selection", "clipboard"}, {"xsel", "-b", "-i"}}
	if p.Environment.Get("WAYLAND_DISPLAY") != "" {
		tools = append([][]string{{"wl-copy"}}, tools...)
	}
	for _, tool := range tools {
		if path, err := p.LookPath(tool[0]); err == nil {
			return p.start(text, append([]string{path}, tool[1:]...)...)
		}
	}
	return errors.New("needs wl-copy, xclip or xsel")
}
