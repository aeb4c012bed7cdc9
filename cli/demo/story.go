package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
)

// story prints what happens. A line has the time since the start, a mark, a subject and a sentence.
// Text of files and programs is indented below. Only story and sum print.
type story struct {
	out   io.Writer
	look  layout.Look
	start time.Time
}

// The marks at the beginning of a line.
const (
	good = "✓" // it works
	bad  = "✗" // a fault, made on purpose
	wait = "…" // in progress
)

// colors are the marks' colours.
var colors = map[string]layout.Color{good: layout.Green, bad: layout.Red, wait: layout.Yellow}

// headline prints a line without a time.
func (s *story) headline(text string) {
	fmt.Fprintf(s.out, "\n%s\n\n", s.look.Paint(layout.Bold, text))
}

// say prints one step.
func (s *story) say(mark, subject, format string, args ...any) {
	at := fmt.Sprintf("%6.2f s", time.Since(s.start).Seconds())
	fmt.Fprintf(s.out, "%s  %s %s %s\n", s.look.Paint(layout.Dim, at), s.look.Paint(colors[mark], mark), s.look.Paint(layout.Bold, fmt.Sprintf("%-12s", subject)), fmt.Sprintf(format, args...))
}

// quote prints the text of a file, or what a program printed.
func (s *story) quote(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(s.out, "%26s%s\n", "", s.look.Paint(layout.Dim, line))
	}
}

// seconds is a duration for people.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
