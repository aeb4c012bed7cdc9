package tunnelfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
)

// Set gives a key of a section in the text of a tunnel file these values, in this order, and no
// others. Without values it removes the key. Everything else stays: comments, order, line endings,
// other keys and their mistakes. A missing section is added at the end.
//
// A value is spelled as in the file, quotes included. The error says which value would not be read
// back as it is.
func Set(text, section, key string, values []string) (string, error) {
	if err := checkAssignable(section, key, values); err != nil {
		return "", err
	}
	doc, problems := scan(text)
	if len(text) > MaxFileSize {
		return "", problems
	}
	result := doc.set(section, key, values)
	if err := checkSet(result, section, key, values); err != nil {
		return "", err
	}
	return result, nil
}

// Add is Set with one more value after those that the key has.
func Add(text, section, key, value string) (string, error) {
	return Set(text, section, key, append(valuesIn(text, section, key), value))
}

func checkAssignable(section, key string, values []string) error {
	if !slices.Contains(sections, section) {
		return fmt.Errorf("[%s] is not a section of a tunnel file%s", section, text.DidYouMean(section, sections))
	}
	if key == "" || strings.TrimSpace(key) != key || strings.ContainsAny(key, "=\n\r\\") || isComment(key) || key[0] == '[' || notText(key) != "" {
		return fmt.Errorf("%q is not a key", key)
	}
	for _, value := range values {
		if why := notText(value); why != "" {
			return fmt.Errorf("%s: the value %s", key, why)
		}
	}
	return nil
}

// checkSet reads back what was written: a value with a backslash at its end, or with an unquoted
// comment, would be read as another one.
func checkSet(text, section, key string, values []string) error {
	got := valuesIn(text, section, key)
	for i, value := range values {
		if i >= len(got) || got[i] != strings.TrimSpace(value) {
			return fmt.Errorf("%s: the value %q needs quotes: it would not be read back as it is", key, value)
		}
	}
	if len(got) != len(values) {
		return errors.New(key + ": the values would not be read back as they are")
	}
	return nil
}

// valuesIn are the values of a key in a section of a text, without their comments.
func valuesIn(text, section, key string) []string {
	doc, _ := scan(text)
	var values []string
	for _, e := range doc.find(section, key) {
		value, _ := e.splitComment()
		values = append(values, value)
	}
	return values
}

// find returns every assignment of a key in a section, empty ones included.
func (d document) find(section, key string) []entry {
	var found []entry
	for _, e := range d.entries {
		if e.section == section && sameKey(section, e.key, key) {
			found = append(found, e)
		}
	}
	return found
}

// sameKey says whether two spellings mean one key. Keywords of ssh may differ in letter case and
// have older names; keys of systemd may not.
func sameKey(section, a, b string) bool {
	if section != SectionSSH {
		return a == b
	}
	if x, ok := SSHKeyword(a); ok {
		a = x
	}
	if y, ok := SSHKeyword(b); ok {
		b = y
	}
	return strings.EqualFold(a, b)
}

// splitComment returns an entry's value, and the comment after it if its key allows one.
func (e entry) splitComment() (value, comment string) {
	switch e.section {
	case SectionTunnel:
		if key, ok := findTunnelKey(e.key); ok && key.text {
			return strings.TrimSpace(e.value), ""
		}
	case SectionSSH:
		if key, _ := SSHKeyword(e.key); slices.Contains(sshCommands, key) {
			return strings.TrimSpace(e.value), ""
		}
	case SectionUnit, SectionService:
		return strings.TrimSpace(e.value), ""
	}
	return splitComment(e.value)
}

// set does the work of Set. The values replace the assignments that exist, one after another. More
// values are added after the last assignment; more assignments are removed.
func (d document) set(section, key string, values []string) string {
	replace := make(map[int]string) // by the index of an entry's first line
	drop := make(map[int]bool)
	found := d.find(section, key)
	for i, e := range found {
		for line := e.first; line <= e.last; line++ {
			drop[line] = true
		}
		if i < len(values) {
			replace[e.first] = d.assignment(e, values[i])
		}
	}
	var added []string
	for i := len(found); i < len(values); i++ {
		added = append(added, key+"="+strings.TrimSpace(values[i])+d.eol)
	}
	after, exists := d.endOf(section)
	if len(found) > 0 {
		after, exists = found[len(found)-1].last, true
	}

	var b strings.Builder
	write := func(line string) {
		if text := b.String(); text != "" && !strings.HasSuffix(text, "\n") {
			// The last line had no ending, and another line follows now. If it ends in a backslash,
			// an empty line must follow, or the new line would be its continuation.
			b.WriteString(d.eol)
			if continues(text) {
				b.WriteString(d.eol)
			}
		}
		b.WriteString(line)
	}
	for i, line := range d.lines {
		if text, ok := replace[i]; ok {
			write(text)
		} else if !drop[i] {
			write(line)
		}
		if exists && i == after {
			for _, line := range added {
				write(line)
			}
		}
	}
	if !exists && len(added) > 0 {
		if strings.TrimSpace(strings.TrimPrefix(b.String(), byteOrderMark)) != "" {
			write(d.eol)
		}
		write("[" + section + "]" + d.eol)
		for _, line := range added {
			write(line)
		}
	}
	return b.String()
}

// assignment is an entry's line with another value. The text before the key, around the "=" and
// after the value stays.
func (d document) assignment(e entry, value string) string {
	before, after, ok := strings.Cut(d.content(e.first), "=")
	if !ok { // the "=" came after a continuation
		before, after = e.key, ""
	}
	if e.first == 0 && strings.HasPrefix(d.lines[0], byteOrderMark) {
		before = byteOrderMark + before
	}
	old, comment := e.splitComment()
	blanks := ""
	if old != "" {
		blanks = after[:len(after)-len(strings.TrimLeft(after, " \t"))]
	}
	text := before + "=" + blanks + strings.TrimSpace(value)
	if comment != "" && !strings.HasSuffix(comment, `\`) {
		// The comment stays in its column if there is room.
		column := strings.LastIndex(d.content(e.first), comment)
		text += strings.Repeat(" ", max(1, column-len(text))) + comment
	}
	if e.last == len(d.lines)-1 && !strings.HasSuffix(d.lines[e.last], "\n") {
		return text
	}
	return text + d.eol
}

// endOf is the index of the last line of a section that is neither empty nor a comment: those may
// belong to the section after it.
func (d document) endOf(section string) (line int, exists bool) {
	for _, h := range d.headers {
		if h.section == section {
			line, exists = h.line, true
		}
	}
	for _, e := range d.entries {
		if e.section == section {
			line = max(line, e.last)
		}
	}
	return line, exists
}
