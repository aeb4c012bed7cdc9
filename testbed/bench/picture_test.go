//go:build bench

package bench

import (
	"fmt"
	"html"
	"strings"
)

// picture is the table as bars of ratios, a group for each column.
func (r *results) picture(foot string) string {
	const left, width, right, bar = 210, 420, 130, 16
	const longest = 4 // what is more would make all others too short to compare
	most := 1.0
	for _, c := range r.columns {
		for _, p := range r.programs {
			most = min(longest, max(most, r.ratio(c, p)))
		}
	}
	var body strings.Builder
	y := 44
	for _, c := range r.columns {
		fmt.Fprintf(&body, "<text x=\"8\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y+12, html.EscapeString(c))
		y += bar + 4
		for _, p := range r.programs {
			ratio := r.ratio(c, p)
			cell := fmt.Sprintf("%.2f (%s)", ratio, short(r.median(c, p)))
			switch {
			case r.failures[[2]string{c, p}] > 0 && ratio == 0:
				cell = "failed"
			case ratio == 0:
				continue
			case ratio > longest:
				cell = "» " + cell
			}
			colour := "#8a8f98"
			if strings.HasPrefix(p, "holdfast") {
				colour = "#2a6fb0"
			}
			length := int(min(ratio, longest) / most * width)
			fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left-8, y+12, html.EscapeString(p))
			fmt.Fprintf(&body, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>", left, y+2, max(length, 1), bar-4, colour)
			fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\">%s</text>\n", left+length+6, y+12, html.EscapeString(cell))
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
