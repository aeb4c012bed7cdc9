package layout

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// ellipsis replaces text that was cut.
const ellipsis = "…"

// Width is the number of terminal columns of a text's widest line, counted by grapheme.
func Width(text string) (width int) {
	for line := range strings.SplitSeq(text, "\n") {
		width = max(width, runewidth.StringWidth(line))
	}
	return width
}

// head is as many whole graphemes from a text's beginning as fit.
func head(text string, width int) string { return runewidth.Truncate(text, max(width, 0), "") }

// tail is as many whole graphemes from a text's end as fit.
func tail(text string, width int) string { return runewidth.TruncatePrefix(text, max(width, 0), "") }

// Cut removes the end of a text that is wider than width. 0 means no limit.
func Cut(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	return head(text, width-1) + ellipsis
}

// Middle removes the middle of a text that is wider than width, since names and paths differ at both
// ends. 0 means no limit.
func Middle(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	return head(text, width/2) + ellipsis + tail(text, (width-1)/2)
}

// Wrap breaks a text into lines of at most width; 0 means no limit. It breaks at spaces. A longer word
// is broken after a comma, or at the end of the line. Line breaks stay. Wrapped lines keep the
// indentation of their text.
func Wrap(text string, width int) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if width <= 0 {
			lines = append(lines, line)
			continue
		}
		lines = append(lines, wrapLine(line, width)...)
	}
	return lines
}

func wrapLine(text string, width int) (lines []string) {
	margin := text[:len(text)-len(strings.TrimLeft(text, " "))]
	if len(margin) > width/2 {
		margin = ""
	}
	line := margin
	for word := range strings.FieldsSeq(text) {
		between := " "
		if line == margin {
			between = ""
		}
		if Width(line)+len(between)+Width(word) <= width {
			line += between + word
			continue
		}
		if line != margin {
			lines = append(lines, line)
		}
		for line = margin + word; Width(line) > width; {
			part := atComma(head(line, width))
			if part == margin || part == "" { // a grapheme wider than the line
				break
			}
			lines = append(lines, part)
			line = margin + line[len(part):]
		}
	}
	return append(lines, line)
}

// atComma cuts the first part of a long word after its last comma, unless less than half of it is left.
func atComma(part string) string {
	if i := strings.LastIndexByte(part, ','); i > len(part)/2 {
		return part[:i+1]
	}
	return part
}

// Hang puts before in front of the text and wraps it to width. Further lines are indented by before's width.
func Hang(before, text string, width int) []string {
	margin := Width(before)
	if margin > width/2 { // too narrow to indent, or no limit
		return Wrap(before+text, width)
	}
	lines := Wrap(text, width-margin)
	for i, line := range lines {
		lines[i] = before + line
		before = strings.Repeat(" ", margin)
	}
	return lines
}
