package portable

import (
	"cmp"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

var forwardKinds = map[string]tunnelfile.ForwardKind{
	"localforward": tunnelfile.LocalForward, "remoteforward": tunnelfile.RemoteForward, "dynamicforward": tunnelfile.DynamicForward,
}

func isForward(line config.Line) bool { return forwardKinds[line.Keyword] != "" }

// configRoot is the configuration file through which ssh reads the file at path by default, and the
// folder for its relative Include paths. Both are empty if ssh does not read that file by default.
func (m Machine) configRoot(path string) (root, dir string) {
	for _, root := range []string{m.sshConfig(), "/etc/ssh/ssh_config"} {
		dir := filepath.Dir(root)
		if path == root {
			return root, dir
		}
		for line := range config.Lines(root, dir) {
			if line.Path == path {
				return root, dir
			}
		}
	}
	return "", ""
}

// fromSSHConfig finds the hosts with forwards in a file that ssh reads by default. Such a tunnel has only a
// destination; its forwards stay in the file.
func (s *search) fromSSHConfig(root, dir string) {
	s.hosts(config.Lines(root, dir), func(f *Found, host string, lines []config.Line) *tunnelfile.Problem {
		for _, line := range lines {
			if isForward(line) {
				f.InSSHConfig = append(f.InSSHConfig, fmt.Sprintf("%s %s (%s)", forwardKinds[line.Keyword], line.Value, placeOf(line.Path, line.Line)))
			}
		}
		f.Todo = []string{fmt.Sprintf("ssh %s opens these forwards too: while the tunnel is up, ssh -o ClearAllForwardings=yes %s logs in without them", host, host)}
		return nil
	})
}

// fromConfigText finds the hosts with forwards in a text that ssh does not read by default. All its
// settings are copied into the tunnels.
func (s *search) fromConfigText() {
	lines := config.Text(s.path, s.text)
	s.hosts(lines, func(f *Found, host string, inForce []config.Line) *tunnelfile.Problem {
		for line := range lines {
			if line.Keyword == "include" && config.Covers(line.Under, host) {
				f.Notes = append(f.Notes, fmt.Sprintf("Include %s (%s): holdfast import of that file has what it says", line.Value, placeOf(line.Path, line.Line)))
			}
		}
		return f.take(inForce)
	})
}

// hosts makes a tunnel for each host with forwards, completed by fill. Forwards whose host cannot be
// told become problems.
func (s *search) hosts(lines iter.Seq[config.Line], fill func(*Found, string, []config.Line) *tunnelfile.Problem) {
	lines = slices.Values(slices.Collect(lines)) // read once
	inForce := make(map[string][]config.Line)    // by host
	for line := range lines {
		if s.only != "" && line.Path != s.only {
			continue
		}
		s.sweeps(line.Path, line.Line, line.Keyword+" "+line.Value)
		host := hostOf(line.Under)
		if !isForward(line) || host == "" || inForce[host] != nil {
			continue
		}
		these, unsure := config.InForce(lines, host)
		inForce[host] = these
		for _, line := range these {
			s.tell(line.Path, line.Line)
		}
		at := line.Under[len(line.Under)-1]
		s.host(host, at, these, unsure, fill)
	}
	for line := range lines {
		if isForward(line) && (s.only == "" || line.Path == s.only) && !s.told[place{line.Path, line.Line}] {
			s.refuse(line.Path, line.Line, fmt.Sprintf("%s %s stands under %s: which host the tunnel goes to cannot be told", forwardKinds[line.Keyword], line.Value, headings(line.Under)))
		}
	}
}

// headings are the Host and Match lines above a line, for people, the innermost first.
func headings(under []config.Line) string {
	text := ""
	for _, line := range slices.Backward(under) {
		if text != "" {
			text += ", included under "
		}
		text += map[string]string{"host": "Host ", "match": "Match "}[line.Keyword] + line.Value
	}
	return cmp.Or(text, "no Host line")
}

// hostOf is the host to which settings under these Host and Match lines apply; empty if there is none.
func hostOf(under []config.Line) string {
	if len(under) == 0 {
		return ""
	}
	for _, host := range under[len(under)-1].Hosts() {
		if config.Covers(under, host) {
			return host
		}
	}
	return ""
}

// host makes the tunnel of one host.
func (s *search) host(host string, at config.Line, lines, unsure []config.Line, fill func(*Found, string, []config.Line) *tunnelfile.Problem) {
	text, err := tunnelfile.FromSSHArguments([]string{host})
	if err != nil {
		s.refuse(at.Path, at.Line, err.Error())
		return
	}
	f := Found{
		Text: text, Places: []string{placeOf(at.Path, at.Line)}, Notes: unsureNotes(unsure),
		Start: "nothing started it by itself", problem: tunnelfile.Problem{Path: at.Path, Line: at.Line},
	}
	if problem := fill(&f, host, lines); problem != nil {
		s.refuse(problem.Path, problem.Line, problem.Message)
		return
	}
	f.set(tunnelfile.SectionTunnel, "Start", string(tunnelfile.StartManual))
	f.name("")
	if f.Name == "tunnel" { // the host is an address, and the forwards are not in f.Text
		forward := lines[slices.IndexFunc(lines, isForward)]
		if parsed, err := tunnelfile.ParseForward(forwardKinds[forward.Keyword], forward.Value); err == nil {
			f.Name, f.Other = forwardName(parsed), ""
		}
	}
	s.add(f)
}

func unsureNotes(unsure []config.Line) []string {
	var notes []string
	for _, line := range unsure {
		notes = append(notes, fmt.Sprintf("Match %s (%s): whether it counts cannot be told here", line.Value, placeOf(line.Path, line.Line)))
	}
	return notes
}

// take adds lines of ssh_config(5) to the tunnel's file. Settings that the file already has take precedence.
func (f *Found) take(lines []config.Line) *tunnelfile.Problem {
	set := make(map[string]bool)
	before, _ := tunnelfile.Parse("", "", f.Text)
	for _, s := range before.SSH {
		set[s.Key] = true
	}
	user, _, port := tunnelfile.DestinationParts(before.Destination)
	set["User"], set["Port"] = set["User"] || user != "", set["Port"] || port != ""
	for _, line := range lines {
		section, key := tunnelfile.SectionSSH, ""
		if kind := forwardKinds[line.Keyword]; kind != "" {
			section, key = tunnelfile.SectionTunnel, string(kind)
		} else if spelled, ok := tunnelfile.SSHKeyword(line.Keyword); ok {
			key = spelled
		} else {
			f.Notes = append(f.Notes, fmt.Sprintf("%s %s: is not for a tunnel file", line.Keyword, line.Value))
			continue
		}
		if section == tunnelfile.SectionSSH && set[key] && !slices.Contains([]string{"CertificateFile", "IdentityFile", "SendEnv"}, key) {
			continue // the first value counts, as in ssh_config(5)
		}
		set[key] = true
		text, err := tunnelfile.Add(f.Text, section, key, line.Value)
		if err == nil {
			if _, problems := tunnelfile.Parse("", "", text); len(problems) > 0 {
				err = fmt.Errorf("%s %s", key, problems[0].Message)
			}
		}
		if err != nil {
			return &tunnelfile.Problem{Path: line.Path, Line: line.Line, Message: err.Error()}
		}
		f.Text = text
	}
	return nil
}

// takeFile adds the settings for the tunnel's host in the file of ssh -F to the tunnel's file. home is
// the user's home folder: relative Include paths begin in its .ssh.
func (f *Found) takeFile(file, home string) *tunnelfile.Problem {
	if _, err := os.Stat(file); err != nil {
		p := f.Problem(fmt.Sprintf("-F %s: %s", file, withoutPath(err)))
		return &p
	}
	t, _ := tunnelfile.Parse("", "", f.Text)
	_, host, _ := tunnelfile.DestinationParts(t.Destination)
	lines, unsure := config.InForce(config.Lines(file, filepath.Join(home, ".ssh")), host)
	f.Notes = append(f.Notes, unsureNotes(unsure)...)
	f.Notes = append(f.Notes, fmt.Sprintf("-F %s: the tunnel file says what that says of %s, and ~/.ssh/config counts behind it", file, host))
	return f.take(lines)
}
