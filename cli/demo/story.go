package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// story prints what happens. A line has the time since the start, a mark, a subject and a sentence.
// Text of files and programs is indented below. Only story and sum print.
type story struct {
	out   io.Writer
	color bool
	start time.Time
}

// The marks at the beginning of a line.
const (
	good = "✓" // it works
	bad  = "✗" // a fault, made on purpose
	wait = "…" // in progress
)

// colors are the marks' colours, as SGR codes (ECMA-48).
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

// headline prints a line without a time.
func (s *story) headline(text string) {
	fmt.Fprintf(s.out, "\n%s\n\n", s.paint(bold, text))
}

// say prints one step.
func (s *story) say(mark, subject, format string, args ...any) {
	at := fmt.Sprintf("%6.2f s", time.Since(s.start).Seconds())
	fmt.Fprintf(s.out, "%s  %s %s %s\n", s.paint(dim, at), s.paint(colors[mark], mark), s.paint(bold, fmt.Sprintf("%-12s", subject)), fmt.Sprintf(format, args...))
}

// quote prints the text of a file, or what a program printed.
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
