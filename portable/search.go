package portable

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Result is the result for one source. Each line that mentions ssh or autossh is in one of the three lists.
type Result struct {
	Found      []Found
	Problems   []tunnelfile.Problem // may be tunnels, but cannot be imported
	NotTunnels []tunnelfile.Problem // are no tunnels, with the reason
}

// search reads one source. It records for each line that mentions ssh what became of it.
type search struct {
	machine Machine
	path    string
	text    string
	lines   []string // of text
	only    string   // if several files are read: the one whose lines count; empty: all count
	result  Result
	told    map[place]bool
	mention []tunnelfile.Problem // the lines that mention ssh, with their text
}

type place struct {
	path string
	line int
}

func (m Machine) search(path, text string) *search {
	return &search{machine: m, path: path, text: text, lines: strings.Split(text, "\n"), told: make(map[place]bool)}
}

// mentionPattern matches ssh or autossh as a word that a shell could run.
var mentionPattern = regexp.MustCompile("(^|[^\\w.-])(auto)?ssh($|[\\s\"'`;|&,<>()\\[\\]{}\\\\$])")

// mentions says whether a text has the word ssh or autossh, even in a string.
func mentions(text string) bool {
	return mentionPattern.MatchString(strings.ReplaceAll(text, "/etc/ssh", ""))
}

// sweeps records a line that mentions ssh, so that finish lists it if nothing else does.
func (s *search) sweeps(path string, line int, text string) {
	if mentions(withoutComment(text)) {
		s.mention = append(s.mention, tunnelfile.Problem{Path: path, Line: line, Message: strings.TrimSpace(text)})
	}
}

// sweepsText calls sweeps for all lines of a text.
func (s *search) sweepsText(path, text string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		s.sweeps(path, number, line)
	}
}

// withoutComment removes the comment from a line: the whole line if it begins with #, ; or //, and
// otherwise the part from a # that follows a blank and is not quoted.
func withoutComment(line string) string {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, ";") || strings.HasPrefix(line, "//") {
		return ""
	}
	double, single := false, false // inside a quotation
	for i := range len(line) {
		switch line[i] {
		case '"':
			double = !double
		case '\'':
			single = !single
		case '#':
			if !double && !single && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				return line[:i]
			}
		}
	}
	return line
}

// tell records that lines are imported or listed, so that finish does not list them.
func (s *search) tell(path string, lines ...int) {
	for _, line := range lines {
		s.told[place{path, line}] = true
	}
}

func (s *search) add(f Found) {
	s.tell(f.problem.Path, f.problem.Line)
	s.result.Found = append(s.result.Found, f)
}

func (s *search) refuse(path string, line int, message string) {
	s.tell(path, line)
	s.result.Problems = append(s.result.Problems, tunnelfile.Problem{Path: path, Line: line, Message: message})
}

func (s *search) pass(path string, line int, message string) {
	s.tell(path, line)
	s.result.NotTunnels = append(s.result.NotTunnels, tunnelfile.Problem{Path: path, Line: line, Message: message})
}

// take adds an invocation that was found in src to one of the three lists.
func (s *search) take(inv invocation, src source, complete func(*Found)) {
	f, refused, none := src.found(inv)
	switch {
	case refused != "":
		s.refuse(src.path, inv.line, refused)
	case none != "":
		s.pass(src.path, inv.line, none)
	default:
		complete(&f)
		s.add(f)
	}
}

// tunnelLetters matches options of ssh that make it a tunnel.
var tunnelLetters = regexp.MustCompile(`autossh|(^|[\s"'])-\w*[LRDNwf]`)

// finish returns the result. It lists the lines that mention ssh and have no result yet.
func (s *search) finish() Result {
	for _, m := range s.mention {
		if s.told[place{m.Path, m.Line}] {
			continue
		}
		if tunnelLetters.MatchString(m.Message) {
			s.refuse(m.Path, m.Line, "mentions ssh, and what runs there cannot be told; "+addInstead)
			continue
		}
		s.pass(m.Path, m.Line, "mentions ssh, with nothing that makes a tunnel")
	}
	for _, list := range [][]tunnelfile.Problem{s.result.Problems, s.result.NotTunnels} {
		slices.SortStableFunc(list, func(a, b tunnelfile.Problem) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
		})
	}
	s.result.Problems = slices.Compact(s.result.Problems)
	s.result.NotTunnels = slices.Compact(s.result.NotTunnels)
	return s.result
}

const addInstead = "holdfast add NAME and what follows ssh makes the tunnel"

// directory is the folder of the source's file; the home folder if it is no file.
func (s *search) directory() string {
	if dir := filepath.Dir(s.path); filepath.IsAbs(dir) {
		return dir
	}
	return s.machine.Home
}
