package cli

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// minute is how much of the past the sparklines show.
const minute = time.Minute

// flow is what went through a tunnel lately.
type flow struct {
	points  []point // in time, at least one older than a minute where there is one
	last    dbusapi.Statistics
	counted bool // last is of now
}

// point is how many bytes had gone through at some time, since we look.
type point struct {
	at             time.Time
	sent, received uint64
}

// count takes in what a tunnel has counted; ok is false for one that does not run.
func (f *flow) count(s dbusapi.Statistics, ok bool, at time.Time) {
	p := point{at: at}
	if n := len(f.points); n > 0 {
		p.sent, p.received = f.points[n-1].sent, f.points[n-1].received
		if ok {
			p.sent += grown(f.last.BytesSent, s.BytesSent)
			p.received += grown(f.last.BytesReceived, s.BytesReceived)
		}
	}
	f.points = append(f.points, p)
	for len(f.points) > 2 && at.Sub(f.points[1].at) >= minute {
		f.points = f.points[1:]
	}
	f.last, f.counted = s, ok
}

// grown is by how much a counter has, which begins anew with the tunnel's program.
func grown(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// rates are bytes per second between the last two points; false: there are none yet.
func (f *flow) rates() (sent, received float64, ok bool) {
	n := len(f.points)
	if n < 2 || !f.counted {
		return 0, 0, false
	}
	a, b := f.points[n-2], f.points[n-1]
	seconds := b.at.Sub(a.at).Seconds()
	if seconds <= 0 {
		return 0, 0, false
	}
	return float64(b.sent-a.sent) / seconds, float64(b.received-a.received) / seconds, true
}

// total is how many bytes had gone through at a time, in a straight line between points.
func (f *flow) total(at time.Time) float64 {
	i := slices.IndexFunc(f.points, func(p point) bool { return p.at.After(at) })
	bytes := func(p point) float64 { return float64(p.sent) + float64(p.received) }
	switch {
	case len(f.points) == 0:
		return 0
	case i < 0:
		return bytes(f.points[len(f.points)-1])
	case i == 0:
		return bytes(f.points[0])
	}
	a, b := f.points[i-1], f.points[i]
	return bytes(a) + (bytes(b)-bytes(a))*at.Sub(a.at).Seconds()/b.at.Sub(a.at).Seconds()
}

// blocks are the heights of a sparkline.
var blocks = []rune(" ▁▂▃▄▅▆▇█")

// leastPeak is the throughput per second that fills a sparkline's height where none was higher.
const leastPeak = 1024

// sparkline is the throughput of the last minute in so many cells, the last one now. What flows
// at all is seen.
func (f *flow) sparkline(cells int, now time.Time) string {
	step := minute / time.Duration(cells)
	rates := make([]float64, cells)
	peak := float64(leastPeak)
	for i := range rates {
		end := now.Add(-step * time.Duration(cells-1-i))
		rates[i] = (f.total(end) - f.total(end.Add(-step))) / step.Seconds()
		peak = max(peak, rates[i])
	}
	var line strings.Builder
	for _, r := range rates {
		height := int(r/peak*float64(len(blocks)-1) + 0.5)
		if r > 0 {
			height = max(height, 1)
		}
		line.WriteRune(blocks[height])
	}
	return line.String()
}

// topView is what top shows.
type topView struct {
	running      bool // the daemon
	network      string
	tunnels      []dbusapi.Tunnel // the last that was heard of
	flows        map[string]*flow
	at           time.Time // of the last point
	byThroughput bool      // how they are sorted; else by name
	keys         bool      // there is somebody who can press them
	sparks       bool      // with sparklines
	trouble      string    // why nothing new was counted
}

// hear takes in what the daemon says. One that is gone says nothing: its tunnels stay.
func (v *topView) hear(s dbusapi.Snapshot, patterns []string) {
	if v.running = s.Running; !s.Running {
		return
	}
	tunnels := slices.DeleteFunc(slices.Clone(s.Tunnels), func(t dbusapi.Tunnel) bool {
		named := func(pattern string) bool { ok, err := path.Match(pattern, t.Name); return ok && err == nil }
		return len(patterns) > 0 && !slices.ContainsFunc(patterns, named)
	})
	v.network, v.tunnels = s.Global.Network, tunnels
	for name := range v.flows {
		if !slices.ContainsFunc(tunnels, func(t dbusapi.Tunnel) bool { return t.Name == name }) {
			delete(v.flows, name)
		}
	}
}

// count takes in what was counted.
func (v *topView) count(counted map[string]dbusapi.Statistics, at time.Time) {
	v.at = at
	for _, t := range v.tunnels {
		f := v.flows[t.Name]
		if f == nil {
			f = &flow{}
			v.flows[t.Name] = f
		}
		s, ok := counted[t.Name]
		f.count(s, ok, at)
	}
}

// flow is that of a tunnel; one that was not counted yet has an empty one.
func (v *topView) flow(name string) *flow {
	if f := v.flows[name]; f != nil && v.running {
		return f
	}
	return &flow{}
}

// sorted are the tunnels in the order in which they are shown.
func (v *topView) sorted() []dbusapi.Tunnel {
	tunnels := slices.Clone(v.tunnels) // by name
	if v.byThroughput {
		throughput := func(t dbusapi.Tunnel) float64 {
			sent, received, _ := v.flow(t.Name).rates()
			return sent + received
		}
		slices.SortStableFunc(tunnels, func(a, b dbusapi.Tunnel) int { return cmp.Compare(throughput(b), throughput(a)) })
	}
	return tunnels
}

// title is the line above the table.
func (v *topView) title() []cell {
	if !v.running {
		return []cell{{"holdfastd is not running; tunnels that are up stay up", yellow}}
	}
	if v.trouble != "" {
		return []cell{{text.Printable(v.trouble), yellow}}
	}
	up := 0
	var sent, received float64
	for _, t := range v.tunnels {
		if running(t.State) {
			up++
		}
		s, r, _ := v.flow(t.Name).rates()
		sent, received = sent+s, received+r
	}
	content := fmt.Sprintf("%d of %s up, network %s, %s received, %s sent", up, text.Count(len(v.tunnels), "tunnel"), v.network, rate(received), rate(sent))
	line := []cell{{text: content}}
	if v.keys {
		sort := "throughput"
		if v.byThroughput {
			sort = "name"
		}
		line = append(line, cell{fmt.Sprintf("   s: sort by %s, q: quit", sort), dim})
	}
	return line
}

// rate is bytes per second for people: "1.5 KiB/s".
func rate(perSecond float64) string { return text.Bytes(uint64(perSecond+0.5)) + "/s" }

// topColumn is a column of the table.
type topColumn struct {
	name  string
	width int  // at least, so that columns stay where they are while numbers change
	right bool // aligned
	cell  func(t dbusapi.Tunnel, f *flow) cell
}

// frame is the whole picture (pure): the title and the table, as wide and high as the
// terminal, 0 for no end. Where it is too narrow the columns go that matter least.
func (v *topView) frame(width, height int) [][]cell {
	lines := [][]cell{cutLine(v.title(), width)}
	if height == 0 || height > 6 {
		lines = append(lines, []cell{})
	}
	tunnels := v.sorted()
	if len(tunnels) == 0 {
		return append(lines, []cell{{text: "No tunnels yet."}})
	}
	var left [][]cell
	if room := height - len(lines) - 1; height > 0 && len(tunnels) > room {
		if room > 1 {
			room--
			left = [][]cell{{{fmt.Sprintf("… and %d more", len(tunnels)-room), dim}}}
		}
		tunnels = tunnels[:max(room, 0)]
	}
	lines = append(append(lines, v.table(tunnels, width).lines(width)...), left...)
	if height > 0 {
		lines = lines[:min(height, len(lines))]
	}
	return lines
}

// statusRoom is what is worth having of a status.
const statusRoom = 16

// table is the table of tunnels, of columns that fit into width.
func (v *topView) table(tunnels []dbusapi.Tunnel, width int) table {
	number := func(content string) cell { return cell{text: content} }
	rates := func(pick func(sent, received float64) float64) func(dbusapi.Tunnel, *flow) cell {
		return func(_ dbusapi.Tunnel, f *flow) cell {
			sent, received, ok := f.rates()
			if !ok {
				return cell{}
			}
			return number(rate(pick(sent, received)))
		}
	}
	columns := []topColumn{
		{"NAME", 0, false, func(t dbusapi.Tunnel, _ *flow) cell { return cell{text: cut(t.Name, nameWidth(width))} }},
		{"STATE", len(tunnelfile.Connecting), false, func(t dbusapi.Tunnel, _ *flow) cell {
			if !v.running {
				return cell{"?", dim}
			}
			return cell{string(t.State), stateColor(t.State)}
		}},
		{"RECEIVED", len("999 KiB/s"), true, rates(func(_, received float64) float64 { return received })},
		{"SENT", len("999 KiB/s"), true, rates(func(sent, _ float64) float64 { return sent })},
		{"RTT", len("999 ms"), true, func(_ dbusapi.Tunnel, f *flow) cell { return number(text.Milliseconds(f.last.RoundTripTime)) }},
		{"CHANNELS", 0, true, func(_ dbusapi.Tunnel, f *flow) cell {
			if !f.counted {
				return cell{}
			}
			return number(fmt.Sprint(f.last.ChannelsOpen))
		}},
	}
	for len(columns) > 2 && width > 0 && columnsWidth(v.fill(columns, tunnels)) > width {
		columns = columns[:len(columns)-1]
	}
	t := v.fill(columns, tunnels)
	room := width - columnsWidth(t)
	if width == 0 {
		room = noEnd
	}
	add := func(name string, cell func(dbusapi.Tunnel) cell) {
		t[0] = append(t[0], header(name)...)
		for i, tunnel := range tunnels {
			t[i+1] = append(t[i+1], cell(tunnel))
		}
	}
	if cells := sparkCells(room - gap); v.sparks && cells > 0 {
		add(fmt.Sprintf("%-*s", cells, "LAST MINUTE")[:cells], func(t dbusapi.Tunnel) cell { return cell{v.flow(t.Name).sparkline(cells, v.at), green} })
		room -= gap + cells
	}
	if room >= gap+statusRoom && v.running {
		add("STATUS", func(t dbusapi.Tunnel) cell { return cell{text: text.Printable(t.Status)} })
	}
	return t
}

// nameWidth is how much of a name there is on so wide a terminal; 0 is all of it.
func nameWidth(width int) int {
	if width == 0 {
		return 0
	}
	return max(width/3, 9)
}

// noEnd is room where there is no end to it.
const noEnd = 1 << 16

// sparkCells is how many cells a sparkline has where there is so much room: it comes before a
// status, and leaves it its room when it can.
func sparkCells(room int) int {
	const most, least = 30, 10
	switch {
	case room < least:
		return 0
	case room < least+gap+statusRoom:
		return min(room, most)
	}
	return min(room-gap-statusRoom, most)
}

// fill is the table of these columns.
func (v *topView) fill(columns []topColumn, tunnels []dbusapi.Tunnel) table {
	t := table{nil}
	for _, c := range columns {
		t[0] = append(t[0], cell{c.name, bold})
	}
	for _, tunnel := range tunnels {
		var row []cell
		for _, c := range columns {
			row = append(row, c.cell(tunnel, v.flow(tunnel.Name)))
		}
		t = append(t, row)
	}
	for i, c := range columns {
		width := c.width
		if c.right {
			width = max(width, widest(t, i))
		}
		for _, row := range t {
			pad := strings.Repeat(" ", max(width-utf8.RuneCountInString(row[i].text), 0))
			if c.right {
				row[i].text = pad + row[i].text
			} else {
				row[i].text += pad
			}
		}
	}
	return t
}

// widest is the width of a table's column.
func widest(t table, column int) (width int) {
	for _, row := range t {
		width = max(width, utf8.RuneCountInString(row[column].text))
	}
	return width
}

// columnsWidth is how wide a table is whose last column is whole.
func columnsWidth(t table) (width int) {
	for i := range t[0] {
		width += widest(t, i) + gap
	}
	return width - gap
}

// cutLine is a line of at most width runes; 0 is no end.
func cutLine(line []cell, width int) []cell {
	if width == 0 {
		return line
	}
	var fits []cell
	for _, c := range line {
		n := utf8.RuneCountInString(c.text)
		if n > width {
			if len(fits) == 0 {
				fits = append(fits, cell{cut(c.text, width), c.color})
			}
			break
		}
		fits = append(fits, c)
		width -= n
	}
	return fits
}
