package portable

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// StandardInput stands for a path where there is none.
const StandardInput = "standard input"

var (
	tunnelPattern = regexp.MustCompile(`(?m)^\s*\[Tunnel\]`)
	unitPattern   = regexp.MustCompile(`(?m)^\s*\[Service\]`)
	hostPattern   = regexp.MustCompile(`(?mi)^\s*(Host|Match)[ \t=]+\S`)
)

// FromFile finds the tunnels in a file of whatever kind: a tunnel file, a unit, an
// ssh_config(5), a script, a crontab.
func (m Machine) FromFile(path string) ([]Found, []tunnelfile.Problem) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, []tunnelfile.Problem{{Path: path, Message: err.Error()}}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, []tunnelfile.Problem{{Path: path, Message: withoutPath(err)}}
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, []tunnelfile.Problem{{Path: path, Message: "is not a regular file"}}
	case info.Size() > tunnelfile.MaxFileSize:
		return nil, []tunnelfile.Problem{{Path: path, Message: "is longer than any file with tunnels in it"}}
	}
	text, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, []tunnelfile.Problem{{Path: path, Message: withoutPath(err)}}
	case filepath.Ext(path) == ".service":
		return m.FromUnit(path)
	case m.readBySSH(path):
		return FromSSHConfig(path)
	}
	return m.FromText(path, string(text))
}

// readBySSH says whether ssh reads this file by itself.
func (m Machine) readBySSH(path string) bool {
	for _, file := range []string{m.sshConfig(), "/etc/ssh/ssh_config"} {
		if path == file {
			return true
		}
		for line := range config.Lines(file) {
			if line.Path == path {
				return true
			}
		}
	}
	return false
}

// FromText finds the tunnels in a text that stands at path, or in [StandardInput].
func (m Machine) FromText(path, text string) ([]Found, []tunnelfile.Problem) {
	switch {
	case strings.HasPrefix(text, "#!"):
		return m.fromScript(path, text)
	case filepath.Ext(path) == tunnelfile.Suffix || tunnelPattern.MatchString(text):
		return fromTunnelFile(path, text)
	case unitPattern.MatchString(text):
		u := unit{name: "tunnel.service", path: path, machine: m, system: m.System}
		if path != StandardInput {
			u.name = filepath.Base(path)
		}
		u.add(path, text)
		return u.find(m)
	case hostPattern.MatchString(text):
		return fromConfigText(path, text)
	}
	return m.fromScript(path, text)
}

// fromTunnelFile is a tunnel file as it is, its drop-ins beside it merged.
func fromTunnelFile(path, text string) ([]Found, []tunnelfile.Problem) {
	name := strings.TrimSuffix(filepath.Base(path), tunnelfile.Suffix)
	t, problems := tunnelfile.Parse(name, path, text)
	if tunnelfile.ValidName(name) && filepath.IsAbs(path) && filepath.Ext(path) == tunnelfile.Suffix {
		if merged, err := tunnelfile.LoadFile(path); err == nil && len(merged.DropIns) > 0 {
			t, problems, text = merged, nil, tunnelfile.Format(merged)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if path == StandardInput {
		_, name, _ = tunnelfile.DestinationParts(t.Destination)
	}
	return []Found{{
		Name: ValidName(name), Text: text, Places: append([]string{path}, t.DropIns...), Start: "the file says so", AsIs: true,
		problem: tunnelfile.Problem{Path: path},
	}}, nil
}
