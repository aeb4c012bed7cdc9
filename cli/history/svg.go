package history

import (
	"fmt"
	"html"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Sizes in the picture's own units.
const (
	svgName   = 220
	svgBar    = 720
	svgNumber = 90
	svgRow    = 26
	svgTop    = 40
)

// SVG is the report as a picture with a bar for each tunnel, red where it was down. Each outage has its
// time and reason as a title, which browsers show as a tooltip.
func (r Report) SVG() string {
	var b strings.Builder
	p := r.period
	width, height := svgName+svgBar+svgNumber, svgTop+svgRow*len(r.pasts)+16
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="12" y="22" fill="#333333">%s</text>`+"\n", html.EscapeString(fmt.Sprintf("%s to %s", clock(p.since), clock(p.now))))
	at := func(s span) (x, width float64) {
		whole := p.now.Sub(p.since).Seconds()
		x = svgBar * later(s.from, p.since).Sub(p.since).Seconds() / whole
		return svgName + x, max(svgBar*earlier(s.to, p.now).Sub(p.since).Seconds()/whole-x, 0)
	}
	for i, one := range r.pasts {
		y := svgTop + svgRow*i
		fmt.Fprintf(&b, `<text x="12" y="%d">%s</text>`+"\n", y+14, html.EscapeString(one.Name))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="18" fill="#e6e6e6"/>`+"\n", svgName, y, svgBar)
		for _, up := range one.Ups {
			x, w := at(up)
			fmt.Fprintf(&b, `<rect x="%.2f" y="%d" width="%.2f" height="18" fill="#2e9e5b"/>`+"\n", x, y, w)
		}
		for _, o := range one.Outages {
			x, w := at(o.span(p.now))
			status := tunnelfile.Status{State: o.State, Reason: o.Why.reason, Text: o.Why.text}.String()
			title := html.EscapeString(fmt.Sprintf("%s, %s: %s", clock(o.Began), text.Span(o.Lasted), text.Printable(status)))
			fmt.Fprintf(&b, `<rect x="%.2f" y="%d" width="%.2f" height="18" fill="#c0392b"><title>%s</title></rect>`+"\n", x, y, max(w, 1), title)
		}
		if a, ok := one.availability(); ok {
			fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", svgName+svgBar+10, y+14, percent(a))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
