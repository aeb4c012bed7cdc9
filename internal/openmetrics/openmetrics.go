// Package openmetrics writes OpenMetrics text, version 1.0.
//
// It knows nothing of tunnels, and imports nothing of ours.
package openmetrics

import (
	"fmt"
	"io"
	"strings"
)

// Writer writes one metric family after the other. Errors are the underlying writer's to keep.
type Writer struct {
	out  io.Writer
	name string // of the family under way
}

// NewWriter writes to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Family begins a metric family. The unit is "" or what the name ends in; kind and help are
// as in # TYPE and # HELP.
func (w *Writer) Family(name, kind, unit, help string) {
	w.name = name
	fmt.Fprintf(w.out, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(w.out, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(w.out, "# HELP %s %s\n", name, escaper.Replace(help))
}

// Sample is a sample of the family; a counter's suffix is _total. Labels are made by Label.
func (w *Writer) Sample(suffix string, value any, labels ...string) {
	set := ""
	if len(labels) > 0 {
		set = "{" + strings.Join(labels, ",") + "}"
	}
	fmt.Fprintf(w.out, "%s%s%s %v\n", w.name, suffix, set, value)
}

// End ends the text, with what tells a reader that it has all of it.
func (w *Writer) End() { fmt.Fprintln(w.out, "# EOF") }

// Label is name="value", escaped.
func Label(name, value string) string { return name + `="` + escaper.Replace(value) + `"` }

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
