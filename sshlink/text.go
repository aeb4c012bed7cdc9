package sshlink

import "strings"

// printable makes a text that a server or a child process sent safe to show: control
// characters, which could move a terminal's cursor, become spaces.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
