//go:build bench

package bench

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// results are measured figures: by column, then by program, one for each round.
type results struct {
	title    string
	columns  []string
	programs []string
	figures  map[[2]string][]float64
}

func newResults(title string, columns ...string) *results {
	return &results{title: title, columns: columns, figures: make(map[[2]string][]float64)}
}

func (r *results) add(column, program string, figure float64) {
	if !slices.Contains(r.programs, program) {
		r.programs = append(r.programs, program)
	}
	key := [2]string{column, program}
	r.figures[key] = append(r.figures[key], figure)
}

func (r *results) median(column, program string) float64 {
	all := slices.Clone(r.figures[[2]string{column, program}])
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// print prints medians, and in parentheses ratios to those of the first program.
func (r *results) print() {
	fmt.Printf("\n%s\n", r.title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\t%s\n", strings.Join(r.columns, "\t"))
	for _, p := range r.programs {
		fmt.Fprint(w, p)
		for _, c := range r.columns {
			figure, base := r.median(c, p), r.median(c, r.programs[0])
			if base == 0 {
				fmt.Fprintf(w, "\t%s", short(figure))
			} else {
				fmt.Fprintf(w, "\t%s (%.2f)", short(figure), figure/base)
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
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
