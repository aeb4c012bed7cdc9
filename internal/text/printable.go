package text

import (
	"strings"
	"unicode/utf8"
)

// MaxPeer is how many runes of a peer's words FromPeer returns.
const MaxPeer = 300

// FromPeer is the words of a server, a child process, a bus peer or another user's file in one line,
// without characters that control a terminal or a service manager, and at most MaxPeer runes long.
// Pass all text from outside through it, where it comes in.
func FromPeer(s string) string {
	// A rune has at most 4 bytes, so text far beyond the bound can be cut off.
	if len(s) > 16*MaxPeer {
		s = s[:16*MaxPeer]
	}
	return Bound(OneLine(Printable(s)), MaxPeer)
}

// Printable makes a text safe to show. Control characters, which could move a terminal's cursor,
// become spaces, and so do those that break lines. Marks that change the direction of writing are
// removed: they could make a text look like another one. What is not UTF-8 is removed too. White
// space at the ends stays: the lines of a message may be indented.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == '\u2028', r == '\u2029':
			return ' '
		case isDirectional(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}

// isDirectional says whether r is one of Unicode's bidirectional controls (UAX #9).
func isDirectional(r rune) bool {
	switch {
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return r == '\u200e' || r == '\u200f' || r == '\u061c'
}

// OneLine is s with every run of white space as one space.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Bound shortens s to at most n runes, with "…" at the end.
func Bound(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n-1 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
		count++
	}
	return s
}

// BoundBytes shortens s to at most n bytes, with "…" at the end. It does not cut a rune.
func BoundBytes(s string, n int) string {
	const ellipsis = "…"
	if len(s) <= n {
		return s
	}
	end := max(n-len(ellipsis), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

// LastLines returns the last n lines of a program's stderr that are not empty, joined by "; ".
func LastLines(s string, n int) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
