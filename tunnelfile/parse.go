package tunnelfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
)

// The sections of a tunnel file.
const (
	SectionTunnel  = "Tunnel"
	SectionSSH     = "SSH"
	SectionUnit    = "Unit"
	SectionService = "Service"
)

var sections = []string{SectionTunnel, SectionSSH, SectionUnit, SectionService}

// maxProblems is how many problems of a file are reported. More would help nobody.
const maxProblems = 100

// Parse reads the text of one tunnel file, without drop-ins. It returns all problems, in the order
// of the lines; the Tunnel is then what could be read.
func Parse(name, path, text string) (Tunnel, Problems) {
	return merge(name, []source{{path, text}})
}

// source is the text of a tunnel file or of one of its drop-ins.
type source struct{ path, text string }

// merge reads a tunnel file, which is the first source, and its drop-ins in their order. As with
// systemd, a later assignment replaces an earlier one, or adds to it if the key is a list, and an
// empty assignment removes all earlier ones.
func merge(name string, sources []source) (Tunnel, Problems) {
	m := merger{tunnel: defaults(name)}
	m.tunnel.Path, m.tunnel.Text = sources[0].path, sources[0].text
	for i, s := range sources {
		if i > 0 {
			m.tunnel.DropIns = append(m.tunnel.DropIns, s.path)
		}
		m.read(s)
	}
	m.finish()
	return m.tunnel, m.problems
}

type merger struct {
	tunnel   Tunnel
	problems Problems
	// misread says what is missing because its line had a problem, so that this is not reported as a
	// second one.
	misread struct{ destination, listener bool }
}

func (m *merger) read(s source) {
	doc, problems := scan(s.text)
	for i := range problems {
		problems[i].Path = s.path
	}
	report := func(line int, key, message string) {
		problems = append(problems, Problem{Path: s.path, Line: line, Key: key, Message: message})
	}
	for _, h := range doc.headers {
		if !knownSection(h.section) {
			report(h.line+1, "", fmt.Sprintf("[%s] is not a section of a tunnel file%s", h.section, text.DidYouMean(h.section, sections)))
		}
	}
	for _, e := range doc.entries {
		at := Setting{Key: e.key, Path: s.path, Line: e.lineNumber()}
		why := ""
		switch e.section {
		case SectionTunnel:
			why = m.setTunnel(e, at)
		case SectionSSH:
			why = m.setSSH(e, at)
		case SectionUnit:
			m.tunnel.Unit = assign(m.tunnel.Unit, e, at)
		case SectionService:
			m.tunnel.Service = assign(m.tunnel.Service, e, at)
		}
		if why != "" {
			report(at.Line, e.key, why)
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	m.problems = append(m.problems, problems...)
}

// knownSection says whether a section is ours, or begins with X-, which systemd.unit(5) leaves to
// other programs.
func knownSection(section string) bool {
	return slices.Contains(sections, section) || strings.HasPrefix(section, "X-")
}

func (m *merger) setTunnel(e entry, at Setting) (why string) {
	key, ok := findTunnelKey(e.key)
	if !ok {
		return unknownTunnelKey(e.key)
	}
	value, _ := e.splitComment()
	if value == "" || !key.list() {
		m.tunnel.written = slices.DeleteFunc(m.tunnel.written, func(s Setting) bool { return s.Key == key.name })
	}
	if value == "" {
		key.reset(&m.tunnel)
		return ""
	}
	m.tunnel.written = append(m.tunnel.written, Setting{key.name, value, at.Path, at.Line})
	why = key.set(&m.tunnel, value, at)
	if why != "" {
		switch key.name {
		case "Destination":
			m.misread.destination = true
		case string(LocalForward), string(DynamicForward):
			m.misread.listener = true
		}
	}
	return why
}

func (m *merger) setSSH(e entry, at Setting) (why string) {
	if why := checkKeyword(e.key); why != "" {
		return why
	}
	key, _ := SSHKeyword(e.key)
	at.Key = key
	at.Value, _ = e.splitComment()
	if _, err := Words(at.Value); err != nil && !slices.Contains(sshCommands, key) {
		return err.Error()
	}
	same := func(s Setting) bool { return s.Key == key }
	if at.Value == "" {
		m.tunnel.SSH = slices.DeleteFunc(m.tunnel.SSH, same)
		return ""
	}
	if !slices.Contains(sshLists, key) {
		// ssh would take the first of two values, systemd the last. A drop-in replaces the value; in
		// one file it is unclear which is meant.
		if i := slices.IndexFunc(m.tunnel.SSH, same); i >= 0 {
			if earlier := m.tunnel.SSH[i]; earlier.Path == at.Path {
				return fmt.Sprintf("is set already on line %d", earlier.Line)
			}
			m.tunnel.SSH[i] = at
			return ""
		}
	}
	m.tunnel.SSH = append(m.tunnel.SSH, at)
	return ""
}

// assign adds a setting of [Unit] or [Service] unread: systemdctl checks it. A ";" in it may be
// systemd's, as in ExecStartPre=, so a line has no comment at its end.
func assign(settings []Setting, e entry, at Setting) []Setting {
	at.Value = strings.TrimSpace(e.value)
	if at.Value == "" {
		return slices.DeleteFunc(settings, func(s Setting) bool { return s.Key == e.key })
	}
	return append(settings, at)
}

// finish checks the file as a whole.
func (m *merger) finish() {
	t := &m.tunnel
	if t.Destination == "" && !m.misread.destination {
		m.problems = append(m.problems, Problem{Path: t.Path, Key: "Destination", Message: "is missing: where does ssh go?"})
	}
	if t.Description == "" {
		t.Description = t.Destination
	}
	m.problems = append(m.problems, checkListeners(t.Forwards)...)
	if len(t.Forwards) > 0 && !m.misread.listener { // else ssh_config(5) may have some
		m.problems = append(m.problems, t.CheckOnDemand()...)
	}
	if more := len(m.problems) - maxProblems; more > 0 {
		m.problems = append(m.problems[:maxProblems], Problem{Path: t.Path, Message: fmt.Sprintf("and %d more problems", more)})
	}
}
