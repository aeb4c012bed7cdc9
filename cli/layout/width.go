package layout

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// ellipsis stands for what was left out.
const ellipsis = "…"

// Width is how many columns of a terminal the widest line of a text takes, by grapheme.
func Width(text string) (width int) {
	for line := range strings.SplitSeq(text, "\n") {
		width = max(width, runewidth.StringWidth(line))
	}
	return width
}

// head is as many whole graphemes from the beginning of a text as fit.
func head(text string, width int) string { return runewidth.Truncate(text, max(width, 0), "") }

// tail is as many whole graphemes at the end of a text as fit.
func tail(text string, width int) string { return runewidth.TruncatePrefix(text, max(width, 0), "") }

// Cut is a text without its end where it is wider than width; 0 is no end.
func Cut(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	return head(text, width-1) + ellipsis
}

// Middle is a text without its middle where it is wider than width: names and paths are told
// apart by both their ends.
func Middle(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	return head(text, width/2) + ellipsis + tail(text, (width-1)/2)
}

// Wrap is a text in lines of at most width, broken at spaces; a word that is longer is broken
// behind a comma, or where the line ends. Line breaks stay. Lines after the first stand in as far as the text
// does; 0 is no end.
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
			if part == margin || part == "" { // a grapheme that is wider than the line
				break
			}
			lines = append(lines, part)
			line = margin + line[len(part):]
		}
	}
	return append(lines, line)
}

// atComma is the beginning of a word that is too long for its line: up to its last comma, if that is most of it.
func atComma(part string) string {
	if i := strings.LastIndexByte(part, ','); i > len(part)/2 {
		return part[:i+1]
	}
	return part
}

// Hang is a text in lines of at most width, whose first has this before it and whose others
// stand as far in.
func Hang(before, text string, width int) []string {
	margin := Width(before)
	if margin > width/2 {
		margin = 0
	}
	lines := Wrap(before+text, width)
	if width <= 0 || len(lines) == 1 && !strings.Contains(text, "\n") {
		return lines
	}
	if margin == 0 {
		return lines
	}
	lines = Wrap(text, width-margin)
	for i := range lines {
		if i == 0 {
			lines[i] = before + lines[i]
		} else {
			lines[i] = strings.Repeat(" ", margin) + lines[i]
		}
	}
	return lines
}
