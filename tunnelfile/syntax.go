package tunnelfile

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This is a reader of systemd.syntax(7) of our own. go-systemd's unit package stops at the first
// mistake, has no line numbers, does not join continuations, reads comments between continuations
// as text, keeps the CR of a CRLF file and takes no line over 2048 bytes. Set needs the position of
// each line, and a person needs all mistakes. A test checks that both read the same from what
// go-systemd can read.

// MaxFileSize is how long a tunnel file or drop-in may be, in bytes.
const MaxFileSize = 1 << 20

const byteOrderMark = "\uFEFF"

// document is the lines of a tunnel file or drop-in, split into keys and values.
type document struct {
	lines   []string // unchanged, with their line endings
	eol     string   // the line ending: "\n" or "\r\n"
	headers []header
	entries []entry
}

// header is a [Section] line.
type header struct {
	section string
	line    int // index in lines
}

// entry is one KEY=VALUE assignment.
type entry struct {
	section     string
	key         string
	value       string // continuations joined; with spaces around it and a comment after it
	first, last int    // indices in lines, both inclusive
}

// Assignment is a KEY=VALUE line of a file in the syntax of systemd.syntax(7).
type Assignment struct {
	Section, Key string
	Value        string // continuations joined
	Line         int    // the first line, from 1
}

// Assignments reads any file in that syntax, such as a unit. It leaves out lines that it cannot
// read, and returns them as Problems.
func Assignments(text string) ([]Assignment, Problems) {
	doc, problems := scan(text)
	var all []Assignment
	for _, e := range doc.entries {
		all = append(all, Assignment{e.section, e.key, strings.TrimSpace(e.value), e.lineNumber()})
	}
	return all, problems
}

// lineNumber is the entry's line for people, from 1.
func (e entry) lineNumber() int { return e.first + 1 }

// scan splits text into lines, headers and entries. It goes on after a mistake, to find them all.
func scan(text string) (document, Problems) {
	doc := document{eol: "\n"}
	if len(text) > MaxFileSize {
		return doc, Problems{{Message: fmt.Sprintf("the file is longer than %d bytes", MaxFileSize)}}
	}
	doc.lines = strings.SplitAfter(text, "\n")
	if doc.lines[len(doc.lines)-1] == "" {
		doc.lines = doc.lines[:len(doc.lines)-1]
	}
	if len(doc.lines) > 0 && strings.HasSuffix(doc.lines[0], "\r\n") {
		doc.eol = "\r\n"
	}

	var problems Problems
	section := ""
	for i := 0; i < len(doc.lines); i++ {
		line := doc.content(i)
		if why := notText(line); why != "" {
			problems = append(problems, Problem{Line: i + 1, Message: why})
			continue
		}
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || isComment(trimmed):
		case trimmed[0] == '[':
			name, why := sectionName(trimmed)
			if why != "" {
				problems = append(problems, Problem{Line: i + 1, Message: why})
				continue
			}
			section = name
			doc.headers = append(doc.headers, header{section, i})
		default:
			first := i
			for continues(line) && i+1 < len(doc.lines) {
				i++
				next := doc.content(i)
				if isComment(strings.TrimSpace(next)) {
					continue // a comment may be between the parts of a value
				}
				if why := notText(next); why != "" {
					problems = append(problems, Problem{Line: i + 1, Message: why})
				}
				line = line[:len(line)-1] + " " + next
			}
			if continues(line) { // the file ends here
				line = line[:len(line)-1]
			}
			key, value, ok := strings.Cut(line, "=")
			key = strings.TrimSpace(key)
			switch {
			case !ok:
				problems = append(problems, Problem{Line: first + 1, Message: noAssignment(trimmed)})
			case key == "":
				problems = append(problems, Problem{Line: first + 1, Message: "there is no key before the ="})
			case len(doc.headers) == 0:
				problems = append(problems, Problem{Line: first + 1, Key: key, Message: "stands before any section: put [Tunnel] above it"})
			default:
				doc.entries = append(doc.entries, entry{section, key, value, first, i})
			}
		}
	}
	return doc, problems
}

// content is a line without its ending and without a byte order mark.
func (d document) content(i int) string {
	line := strings.TrimSuffix(strings.TrimSuffix(d.lines[i], "\n"), "\r")
	if i == 0 {
		line = strings.TrimPrefix(line, byteOrderMark)
	}
	return line
}

// notText says why a line cannot be part of a tunnel file, "" if it can.
func notText(line string) string {
	if !utf8.ValidString(line) {
		return "is not UTF-8 text"
	}
	for _, r := range line {
		if unicode.IsControl(r) && r != '\t' {
			return fmt.Sprintf("has a control character (%U)", r)
		}
	}
	return ""
}

// isComment says whether a line without leading spaces is a comment.
func isComment(trimmed string) bool {
	return strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";")
}

// continues says whether a line ends in a backslash that is not escaped.
func continues(line string) bool {
	backslashes := len(line) - len(strings.TrimRight(line, `\`))
	return backslashes%2 == 1
}

// sectionName reads a [Section] line, which may have a comment after it.
func sectionName(trimmed string) (name, why string) {
	name, rest, ok := strings.Cut(trimmed[1:], "]")
	rest = strings.TrimSpace(rest)
	switch {
	case !ok:
		return "", "this section has no closing ]"
	case rest != "" && !isComment(rest):
		return "", fmt.Sprintf("there is something behind [%s]: %s", name, rest)
	}
	return name, ""
}

// noAssignment is the message for a line that is neither a comment, a section nor an assignment.
func noAssignment(trimmed string) string {
	word, rest, _ := strings.Cut(trimmed, " ")
	known := slices.ContainsFunc(tunnelKeys, func(k tunnelKey) bool { return k.name == word }) || isKeyword(word)
	if known {
		return fmt.Sprintf("is not KEY=VALUE; write %s=%s", word, strings.TrimSpace(rest))
	}
	return "is not KEY=VALUE, a [Section] or a comment"
}

// splitComment cuts a comment off the end of a value: blanks and then ";", or blanks, "#" and a
// blank or the end, outside of quotes. (systemd has no such comments, ssh has those with "#". Do
// not call it for keys whose values may contain a ";" as a word.)
func splitComment(value string) (text, comment string) {
	blank := -1 // where the last one was
	for i, c := range Unquoted(value) {
		switch {
		case isBlank(c):
			blank = i
		case blank == i-1 && i > 0 && (c == ';' || c == '#' && (i+1 == len(value) || isBlank(value[i+1]))):
			return strings.TrimSpace(value[:i]), value[i:]
		}
	}
	return strings.TrimSpace(value), ""
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
