package config

import (
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// includeDepth is how many levels of Include ssh follows.
const includeDepth = 16

// Line is a line of ssh_config(5) that is neither blank nor a comment.
type Line struct {
	Path    string
	Line    int
	Depth   int      // 0 in the file itself, 1 in one that it includes, …
	Keyword string   // in lower case; the current name if the line has an older one
	Value   string   // as written, without a comment after it
	Words   []string // the value as ssh splits it; nil if a quotation mark is not closed
	Under   []Line   // the Host and Match lines above that it depends on, outermost first
}

// Lines are the lines of a file. After an Include line come the lines of the files that it names.
// Relative Include paths start in dir: ~/.ssh for the person's own files and for one of ssh -F,
// /etc/ssh for the system's. A file that cannot be read has no lines.
func Lines(path, dir string) iter.Seq[Line] { return linesOf(path, dir, func(string, []byte) {}) }

// linesOf is Lines. It calls seen with each file before the file's lines. The text is empty if the
// file cannot be read.
func linesOf(path, dir string, seen func(path string, text []byte)) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		r := reader{dir: dir, yield: yield, seen: seen}
		r.file(path, 0, nil)
	}
}

// Text are the lines of a text. path is the file that it is from, or empty. Includes are not
// followed.
func Text(path, text string) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		r := reader{yield: yield}
		r.text(path, text, 0, nil)
	}
}

type reader struct {
	dir   string // empty: Includes are not followed
	yield func(Line) bool
	seen  func(path string, text []byte)
}

// file reads a file that is included under these Host and Match lines. It returns false if the
// caller wants no more lines.
func (r reader) file(path string, depth int, under []Line) bool {
	if depth >= includeDepth {
		return true
	}
	text, err := os.ReadFile(path)
	r.seen(path, text)
	return err != nil || r.text(path, string(text), depth, under)
}

func (r reader) text(path, text string, depth int, outer []Line) bool {
	under := outer
	number := 0
	for raw := range strings.Lines(text) {
		number++
		keyword, value := cutKeyword(raw)
		if keyword == "" {
			continue
		}
		line := Line{Path: path, Line: number, Depth: depth, Keyword: keyword, Value: withoutComment(keyword, value), Under: under}
		line.Words, _ = tunnelfile.Words(line.Value)
		if keyword == "host" || keyword == "match" {
			line.Under = outer
			under = append(outer[:len(outer):len(outer)], line)
		}
		if !r.yield(line) {
			return false
		}
		if keyword != "include" || r.dir == "" {
			continue
		}
		for _, file := range r.included(line.Words) {
			if !r.file(file, depth+1, under) {
				return false
			}
		}
	}
	return true
}

// included are the files that an Include line names.
func (r reader) included(patterns []string) []string {
	var all []string
	for _, pattern := range patterns {
		pattern = ExpandEnvironment(ExpandTilde(pattern))
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(r.dir, pattern)
		}
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			// In glob(3) a * does not match a leading dot.
			if !strings.HasPrefix(filepath.Base(file), ".") || strings.HasPrefix(filepath.Base(pattern), ".") {
				all = append(all, file)
			}
		}
	}
	return all
}

const blanks = " \t\r\n"

// cutKeyword splits a line into the keyword and the rest. The keyword is in lower case, and is the
// current name if the line has an older one. It is empty for a blank line and for a comment.
func cutKeyword(line string) (keyword, value string) {
	line = strings.TrimRight(line, blanks+"\f")
	token, rest := cutToken(line)
	if token == "" { // the line began with blanks
		token, rest = cutToken(rest)
	}
	if strings.HasPrefix(token, "#") {
		return "", ""
	}
	if spelled, ok := tunnelfile.SSHKeyword(token); ok {
		token = spelled
	}
	return strings.ToLower(token), rest
}

// cutToken does what ssh's strdelim does: a token ends at a blank, at a quotation, or at one "="
// with blanks around it.
func cutToken(s string) (token, rest string) {
	i := strings.IndexAny(s, blanks+`"=`)
	if i < 0 {
		return s, ""
	}
	if s[i] == '"' {
		quoted, after, closed := strings.Cut(s[i+1:], `"`)
		if !closed {
			return "", ""
		}
		return s[:i] + quoted, strings.TrimLeft(after, blanks)
	}
	rest = strings.TrimLeft(s[i+1:], blanks)
	if s[i] != '=' {
		rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), blanks)
	}
	return s[:i], rest
}

// commands are the keywords whose value is a shell command. A # in it begins no comment here.
var commands = map[string]bool{"knownhostscommand": true, "localcommand": true, "proxycommand": true, "remotecommand": true}

// withoutComment removes a comment, which is a # at the beginning of a word and all that follows.
func withoutComment(keyword, value string) string {
	if commands[keyword] {
		return strings.TrimLeft(value, blanks+"=")
	}
	for i, c := range tunnelfile.Unquoted(value) {
		if c == '#' && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			return strings.TrimRight(value[:i], blanks)
		}
	}
	return value
}
