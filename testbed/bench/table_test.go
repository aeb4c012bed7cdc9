//go:build bench

package bench

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// results are measured figures: by column, then by program, one for each round.
type results struct {
	name     string // of the files
	title    string
	columns  []string
	programs []string
	figures  map[[2]string][]float64
	failures map[[2]string]int
}

func newResults(name, title string, columns ...string) *results {
	return &results{name: name, title: title, columns: columns, figures: make(map[[2]string][]float64), failures: make(map[[2]string]int)}
}

func (r *results) add(column, program string, figure float64) {
	key := r.key(column, program)
	r.figures[key] = append(r.figures[key], figure)
}

// fail counts what did not work in place of a figure, or within one.
func (r *results) fail(column, program string, times int) {
	r.failures[r.key(column, program)] += times
}

func (r *results) key(column, program string) [2]string {
	if !slices.Contains(r.programs, program) {
		r.programs = append(r.programs, program)
	}
	return [2]string{column, program}
}

// measure adds what f finds out about a program, or that it failed: other figures are not lost.
func (r *results) measure(t *testing.T, column string, run *running, f func() (float64, error)) {
	t.Helper()
	var figure float64
	err := run.err
	if err == nil {
		figure, err = f()
	}
	if err != nil {
		t.Errorf("%s, %s, %s: %v", r.name, column, run.name, err)
		r.fail(column, run.name, 1)
		return
	}
	r.add(column, run.name, figure)
}

// sorted are the figures of a column and a program.
func (r *results) sorted(column, program string) []float64 {
	return slices.Sorted(slices.Values(r.figures[[2]string{column, program}]))
}

func (r *results) median(column, program string) float64 {
	all := r.sorted(column, program)
	if len(all) == 0 {
		return 0
	}
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// ratio is a median's to that of the first program.
func (r *results) ratio(column, program string) float64 {
	if base := r.median(column, r.programs[0]); base > 0 {
		return r.median(column, program) / base
	}
	return 0
}

// text writes medians, in parentheses their ratios to those of the first program, and from
// where to where the single figures go.
func (r *results) text(out io.Writer) {
	fmt.Fprintf(out, "%s\n", r.title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range r.columns {
		fmt.Fprintf(w, "\t%s", c)
	}
	fmt.Fprintln(w)
	for _, p := range r.programs {
		fmt.Fprint(w, p)
		for _, c := range r.columns {
			fmt.Fprint(w, "\t"+r.cell(c, p))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

func (r *results) cell(column, program string) string {
	all, failed := r.sorted(column, program), r.failures[[2]string{column, program}]
	if len(all) == 0 {
		if failed > 0 {
			return "failed"
		}
		return "–"
	}
	text := fmt.Sprintf("%s (%.2f)", short(r.median(column, program)), r.ratio(column, program))
	if len(all) > 1 {
		text += " " + short(all[0]) + "…" + short(all[len(all)-1])
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}

// publish prints the table and, where -docs says so, writes it as a text and as a picture.
func (r *results) publish(t *testing.T) {
	t.Helper()
	if len(r.programs) == 0 {
		return
	}
	fmt.Println()
	r.text(os.Stdout)
	if *docs == "" {
		return
	}
	foot := machine() + "; " + time.Now().UTC().Format(time.DateOnly)
	var text strings.Builder
	r.text(&text)
	fmt.Fprintf(&text, "\n%s\n", foot)
	for suffix, content := range map[string]string{".txt": text.String(), ".svg": r.picture(foot)} {
		if err := os.WriteFile(filepath.Join(*docs, r.name+suffix), []byte(content), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// short prints three digits.
func short(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
