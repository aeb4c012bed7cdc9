package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// story prints what happens. Each line has its time since the start, a mark, a
// subject in one column and a sentence; what a program printed stands below,
// indented. Nothing else of the demo prints.
type story struct {
	out   io.Writer
	color bool
	start time.Time
}

// The marks before a line, and their colours (ECMA-48 SGR).
const (
	good = "✓" // it is so
	bad  = "✗" // a fault, made on purpose
	wait = "…" // under way
)

var colors = map[string]string{good: "32", bad: "31", wait: "33"}

const (
	bold = "1"
	dim  = "2"
)

func (s *story) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// headline prints a line that belongs to no moment.
func (s *story) headline(text string) {
	fmt.Fprintf(s.out, "\n%s\n\n", s.paint(bold, text))
}

// say prints one step.
func (s *story) say(mark, subject, format string, args ...any) {
	at := fmt.Sprintf("%6.2f s", time.Since(s.start).Seconds())
	fmt.Fprintf(s.out, "%s  %s %s %s\n", s.paint(dim, at), s.paint(colors[mark], mark), s.paint(bold, fmt.Sprintf("%-12s", subject)), fmt.Sprintf(format, args...))
}

// quote prints what stands in a file or what a program said.
func (s *story) quote(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(s.out, "%26s%s\n", "", s.paint(dim, line))
	}
}

// seconds is a duration for people.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
