// Package openmetrics writes OpenMetrics text, version 1.0.
//
// It knows nothing of tunnels, and imports nothing of ours.
package openmetrics

import (
	"fmt"
	"io"
	"strings"
)

// Writer writes one metric family after the other. It ignores errors: the underlying writer has to
// record them.
type Writer struct {
	out  io.Writer
	name string // of the current family
}

// NewWriter writes to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Family begins a metric family. unit is "" or the last part of the name. kind and help are the
// texts of # TYPE and # HELP.
func (w *Writer) Family(name, kind, unit, help string) {
	w.name = name
	fmt.Fprintf(w.out, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(w.out, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(w.out, "# HELP %s %s\n", name, escaper.Replace(help))
}

// Sample writes a sample of the current family. The suffix of a counter is _total. Make labels with
// Label.
func (w *Writer) Sample(suffix string, value any, labels ...string) {
	set := ""
	if len(labels) > 0 {
		set = "{" + strings.Join(labels, ",") + "}"
	}
	fmt.Fprintf(w.out, "%s%s%s %v\n", w.name, suffix, set, value)
}

// End writes the last line, which tells a reader that the text is complete.
func (w *Writer) End() { fmt.Fprintln(w.out, "# EOF") }

// Label returns name="value", escaped.
func Label(name, value string) string { return name + `="` + escaper.Replace(value) + `"` }

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
