package top

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// marker precedes the selected tunnel.
const marker = "> "

// reverse is the colour of the selected row: reverse video.
const reverse layout.Color = "7"

// frame is the whole screen: a title, the page, a hint or the result of the last key, and the keys.
func (w *window) frame() []layout.Line {
	var body []layout.Line
	switch w.page {
	case listPage:
		body = w.list()
	default:
		body = w.scrolled(w.pageText())
	}
	lines := append([]layout.Line{w.title()}, body...)
	for len(lines) < w.above()+w.room() {
		lines = append(lines, nil)
	}
	lines = append(lines[:max(min(len(lines), w.height-1-w.belowRows()), 0)], w.below()...)
	return append(lines, w.keysLine())
}

// above is how many lines are above the page's rows.
func (w *window) above() int {
	if w.page == listPage {
		return 2
	}
	return 1
}

// belowRows is how many lines are between the page's rows and the keys.
func (w *window) belowRows() int {
	switch {
	case w.height < 8:
		return 0
	case w.page == listPage && w.height >= 16:
		return 5
	}
	return 1
}

// room is how many rows of the list, or lines of a page, fit.
func (w *window) room() int { return w.height - w.above() - w.belowRows() - 1 }

// title is the first line.
func (w *window) title() layout.Line {
	switch {
	case !w.running:
		return layout.Line{layout.Painted("holdfastd is not running; tunnels that are up stay up", layout.Yellow)}
	case w.trouble != "":
		return layout.Line{layout.Painted(text.Printable(w.trouble), layout.Yellow)}
	case w.page == keysPage:
		return layout.Line{layout.Painted("Keys", layout.Bold)}
	case w.page != listPage:
		t, ok := w.current()
		if !ok {
			return layout.Line{layout.Painted(w.selected, layout.Bold), layout.Plain(" does not exist any more")}
		}
		of := map[page]string{tunnelPage: "", logPage: "log of ", historyPage: "history of "}[w.page]
		state := layout.Painted(tunnel.Line(t), tunnel.Color(t.State))
		word := layout.Painted(tunnelfile.Status{State: t.State, Reason: t.Reason}.String(), state.Color)
		name := layout.Middle(t.Name, w.width-layout.Width(of)-len("  ")-layout.Width(word.Text))
		line := func(name string, state layout.Cell) layout.Line {
			return layout.Line{layout.Painted(of+name, layout.Bold), layout.Plain("  "), state}
		}
		return w.fitting(line(t.Name, state), line(t.Name, word), line(name, word))
	}
	return w.fitting(w.totals("%d of %s up, network %s", "%s received, %s sent", "sorted by throughput"), w.totals("%d of %s up, %s", "%s in, %s out", "by throughput"),
		w.totals("%d of %s up, %s", "", ""))
}

// fitting returns the first line that fits, else the last one.
func (w *window) fitting(lines ...layout.Line) layout.Line {
	for _, line := range lines {
		if line.Width() <= w.width {
			return line
		}
	}
	return lines[len(lines)-1]
}

// totals is a line with the tunnels that are up, the network, the traffic and the order, in the given formats.
func (w *window) totals(up, flows, order string) layout.Line {
	tally := listing.Count(w.tunnels)
	parts := []string{fmt.Sprintf(up, tally.Well, text.Count(tally.Wanted, "tunnel"), w.network)}
	if asked := w.counted(); len(asked) > 0 && flows != "" {
		var sent, received float64
		for _, t := range asked {
			s, r, _ := w.flow(t.Name).rates()
			sent, received = sent+s, received+r
		}
		parts = append(parts, fmt.Sprintf(flows, rate(received), rate(sent)))
	}
	if w.byThroughput && order != "" {
		parts = append(parts, order)
	}
	return layout.Line{layout.Plain(strings.Join(parts, ", "))}
}

// list is the table with the selected tunnel marked.
func (w *window) list() []layout.Line {
	rows := w.rows()
	w.fitSelection(rows)
	switch {
	case len(w.tunnels) == 0:
		return []layout.Line{nil, {layout.Plain("No tunnels yet. Press a to add one.")}}
	case len(rows) == 0:
		return []layout.Line{nil, {layout.Plain(fmt.Sprintf("No tunnel has %q in its name, tags, state or destination.", w.filter))}}
	}
	shown := rows[w.first:min(w.first+max(w.room(), 1), len(rows))]
	width := max(w.width-len(marker), 1)
	lines := w.table(shown, width).Lines(width)
	for i, line := range lines {
		line = line.Cut(width)
		if i > 0 && shown[min(i, len(shown))-1].Name == w.selected {
			content := ""
			for _, c := range line {
				content += c.Text
			}
			content += strings.Repeat(" ", max(width-layout.Width(content), 0))
			lines[i] = layout.Line{layout.Painted(marker+content, reverse)}
			continue
		}
		lines[i] = append(layout.Line{layout.Plain(strings.Repeat(" ", len(marker)))}, line...)
	}
	return lines
}

// pageText is the whole text of a page.
func (w *window) pageText() []layout.Line {
	switch w.page {
	case tunnelPage:
		t, ok := w.current()
		if !ok {
			return nil
		}
		var s dbusapi.Statistics
		if f := w.flow(t.Name); f.counted {
			s = f.last
		}
		lines := tunnel.Page(t, s, clock()).Lines(w.width)
		if sent, received, ok := w.flow(t.Name).rates(); ok {
			now := layout.Page()
			now.Row("Now", layout.Plain(fmt.Sprintf("%s received, %s sent", rate(received), rate(sent))))
			now.Row("Minute", layout.Painted(w.flow(t.Name).sparkline(30, w.at), layout.Green))
			lines = append(append(lines, nil), now.Lines(w.width)...)
		}
		if hint := w.hint(t); len(hint) > 0 {
			lines = append(append(lines, nil), hint...)
		}
		return lines
	case keysPage:
		return keysText(w.width)
	}
	var lines []layout.Line
	for _, block := range w.history {
		lines = append(lines, block.Lines(w.width)...)
	}
	for _, line := range w.log {
		lines = append(lines, line.Tell(0, w.width)...)
	}
	return lines
}

// scrolled is the visible part of a page.
func (w *window) scrolled(lines []layout.Line) []layout.Line {
	last := max(len(lines)-w.room(), 0)
	if w.atEnd || w.first > last {
		w.first = last
	}
	w.atEnd = w.atEnd || w.page == logPage && w.first == last
	return lines[w.first:min(w.first+max(w.room(), 0), len(lines))]
}

// below is the filter, the result of the last key, or why the selected tunnel is not well and the next step.
func (w *window) below() []layout.Line {
	lines := make([]layout.Line, w.belowRows())
	if len(lines) == 0 {
		return nil
	}
	at := len(lines) - 1
	switch t, ok := w.current(); {
	case w.typing || w.filter != "" && w.page == listPage:
		cursor := ""
		if w.typing {
			cursor = "█  (Enter keeps it, Esc removes it)"
		}
		lines[at] = layout.Line{layout.Painted("filter: ", layout.Bold), layout.Plain(text.Printable(w.filter) + cursor)}
	case w.outcome != nil:
		lines[at] = w.outcome
	case w.page == listPage && ok:
		hint := w.hint(t)
		if n := copy(lines[min(1, at):], hint); n < len(hint) {
			lines[at] = layout.Line{layout.Painted("… Enter shows the rest", layout.Dim)}
		}
	}
	return lines
}

// hint is why a tunnel is not well and the next step.
func (w *window) hint(t listing.Tunnel) (lines []layout.Line) {
	hint := tunnel.Hint(t)
	if hint == "" {
		return nil
	}
	if asks(t) {
		hint = "p answers it here. " + hint
	}
	if w.page == listPage {
		for _, part := range layout.Wrap(t.Name+": "+tunnel.Line(t), w.width) {
			lines = append(lines, layout.Line{layout.Painted(part, tunnel.Color(t.State))})
		}
	}
	for _, part := range layout.Hang("hint: ", hint, w.width) {
		lines = append(lines, layout.Line{layout.Plain(part)})
	}
	return lines
}

// keysLine is the last line: as many of the page's keys as fit. It records their columns for the mouse.
func (w *window) keysLine() (line layout.Line) {
	w.buttons = nil
	at := 0
	for _, b := range bindings() {
		if b.label == "" || !b.on(w.page) || w.page == listPage && b.key == keyEscape && w.filter == "" {
			continue
		}
		width := layout.Width(b.key) + 1 + layout.Width(b.label)
		if at > 0 {
			width += 2
		}
		if at+width > w.width {
			continue
		}
		if at > 0 {
			line = append(line, layout.Plain("  "))
		}
		w.buttons = append(w.buttons, button{at, at + width, b.key})
		line = append(line, layout.Painted(b.key, layout.Bold), layout.Plain(" "+b.label))
		at += width
	}
	return line
}

// keysText describes all keys.
func keysText(width int) []layout.Line {
	t := &layout.Table{Columns: []layout.Column{{Min: len("PgDn, Space")}, {Wrap: true, Min: 20}}}
	for _, b := range bindings() {
		if b.does == "" {
			continue
		}
		keys := b.key
		if b.also != "" {
			keys += ", " + strings.ReplaceAll(b.also, " ", "Space")
		}
		t.Add(layout.Painted(keys, layout.Bold), layout.Plain(b.does))
	}
	return t.Lines(width)
}
