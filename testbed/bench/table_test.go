//go:build bench

package bench

import (
	"fmt"
	"html"
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
}

func newResults(name, title string, columns ...string) *results {
	return &results{name: name, title: title, columns: columns, figures: make(map[[2]string][]float64)}
}

func (r *results) add(column, program string, figure float64) {
	if !slices.Contains(r.programs, program) {
		r.programs = append(r.programs, program)
	}
	key := [2]string{column, program}
	r.figures[key] = append(r.figures[key], figure)
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
			all := r.sorted(c, p)
			switch {
			case len(all) == 0:
				fmt.Fprint(w, "\t–")
			case len(all) == 1:
				fmt.Fprintf(w, "\t%s (%.2f)", short(all[0]), r.ratio(c, p))
			default:
				fmt.Fprintf(w, "\t%s (%.2f) %s…%s", short(r.median(c, p)), r.ratio(c, p), short(all[0]), short(all[len(all)-1]))
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
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

// picture is the table as bars of ratios, a group for each column.
func (r *results) picture(foot string) string {
	const left, width, right, bar = 210, 420, 130, 16
	most := 1.0
	for _, c := range r.columns {
		for _, p := range r.programs {
			most = max(most, r.ratio(c, p))
		}
	}
	var body strings.Builder
	y := 44
	for _, c := range r.columns {
		fmt.Fprintf(&body, "<text x=\"8\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y+12, html.EscapeString(c))
		y += bar + 4
		for _, p := range r.programs {
			ratio := r.ratio(c, p)
			if ratio == 0 {
				continue
			}
			colour := "#8a8f98"
			if strings.HasPrefix(p, "holdfast") {
				colour = "#2a6fb0"
			}
			length := int(ratio / most * width)
			fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left-8, y+12, html.EscapeString(p))
			fmt.Fprintf(&body, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>", left, y+2, max(length, 1), bar-4, colour)
			fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\">%.2f (%s)</text>\n", left+length+6, y+12, ratio, short(r.median(c, p)))
			y += bar
		}
		y += 8
	}
	one := left + int(width/most)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12" fill="#222">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="8" y="22" font-size="14" font-weight="bold">%[3]s</text>
<line x1="%[4]d" x2="%[4]d" y1="36" y2="%[5]d" stroke="#c0392b" stroke-dasharray="3 3"/>
%[6]s<text x="8" y="%[7]d" font-size="9" fill="#666">%[8]s</text>
</svg>
`, left+width+right, y+24, html.EscapeString(r.title), one, y-4, body.String(), y+14, html.EscapeString(foot))
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
