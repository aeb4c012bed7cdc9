package portable

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// StandardInput is used as the path of a text that was read from standard input.
const StandardInput = "standard input"

var (
	tunnelPattern = regexp.MustCompile(`(?m)^\s*\[Tunnel\]`)
	unitPattern   = regexp.MustCompile(`(?m)^\s*\[Service\]`)
	hostPattern   = regexp.MustCompile(`(?mi)^\s*(Host|Match|(Local|Remote|Dynamic)Forward)[ \t=]+\S`)
)

// FromFile finds the tunnels in a file of any kind: a tunnel file, a unit, an ssh_config(5), a script, a
// crontab, or a file of another program that runs commands.
func (m Machine) FromFile(path string) Result {
	path, err := filepath.Abs(path)
	if err != nil {
		return refused(path, err.Error())
	}
	text, err := tunnelfile.ReadText(path)
	switch {
	case err != nil:
		return refused(path, withoutPath(err))
	case len(text) > tunnelfile.MaxFileSize:
		return refused(path, "is longer than any file with tunnels in it")
	}
	if filepath.Ext(path) == ".service" {
		return m.FromUnit(path)
	}
	if root, dir := m.configRoot(path); root != "" {
		s := m.search(path, text)
		if root != path {
			s.only = path
		}
		s.fromSSHConfig(root, dir)
		return s.finish()
	}
	return m.FromText(path, text)
}

func refused(path, message string) Result {
	return Result{Problems: []tunnelfile.Problem{{Path: path, Message: message}}}
}

// FromText finds the tunnels in a text. path is its file, or [StandardInput].
func (m Machine) FromText(path, text string) Result {
	s := m.search(path, text)
	switch {
	case filepath.Ext(path) == tunnelfile.Suffix || !strings.HasPrefix(text, "#!") && tunnelPattern.MatchString(text):
		return fromTunnelFile(path, text)
	case !strings.HasPrefix(text, "#!") && unitPattern.MatchString(text):
		return m.fromUnitText(path, text)
	case !strings.HasPrefix(text, "#!") && filepath.Ext(path) != ".desktop" && hostPattern.MatchString(text):
		s.fromConfigText()
		return s.finish()
	}
	s.sweepsText(path, text)
	switch {
	case isForeign(path, text):
		s.fromForeign()
	case !strings.HasPrefix(text, "#!") && isCrontab(path, text):
		s.fromCrontab()
	default:
		s.fromScript()
	}
	return s.finish()
}

// fromTunnelFile takes a tunnel file unchanged, or merged with its drop-ins if it has some.
func fromTunnelFile(path, text string) Result {
	name := strings.TrimSuffix(filepath.Base(path), tunnelfile.Suffix)
	t, problems := tunnelfile.Parse(name, path, text)
	if tunnelfile.ValidName(name) && filepath.IsAbs(path) && filepath.Ext(path) == tunnelfile.Suffix {
		if merged, err := tunnelfile.LoadFile(path); err == nil && len(merged.DropIns) > 0 {
			t, problems, text = merged, nil, tunnelfile.Format(merged)
		}
	}
	if len(problems) > 0 {
		return Result{Problems: problems}
	}
	if path == StandardInput {
		_, name, _ = tunnelfile.DestinationParts(t.Destination)
	}
	return Result{Found: []Found{{
		Name: ValidName(name), Text: text, Places: append([]string{path}, t.DropIns...), Start: "the file says so", AsIs: true,
		problem: tunnelfile.Problem{Path: path},
	}}}
}
