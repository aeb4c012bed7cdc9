package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
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

// view is what top shows.
type view struct {
	running      bool // the daemon
	network      string
	tunnels      []listing.Tunnel // the last that was heard of
	flows        map[string]*flow
	at           time.Time // of the last point
	byThroughput bool      // how they are sorted; else by name
	keys         bool      // there is somebody who can press them
	sparks       bool      // with sparklines
	trouble      string    // why nothing new was counted
}

// hear takes in what the daemon says. One that is gone says nothing: its tunnels stay.
func (v *view) hear(s dbusapi.Snapshot, patterns []string) {
	if v.running = s.Running; !s.Running {
		return
	}
	tunnels := slices.DeleteFunc(slices.Clone(s.Tunnels), func(t listing.Tunnel) bool {
		return !tunnel.Matches(t, patterns)
	})
	v.network, v.tunnels = s.Global.Network, tunnels
	for name := range v.flows {
		if !slices.ContainsFunc(tunnels, func(t listing.Tunnel) bool { return t.Name == name }) {
			delete(v.flows, name)
		}
	}
}

// count takes in what was counted.
func (v *view) count(counted map[string]dbusapi.Statistics, at time.Time) {
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
func (v *view) flow(name string) *flow {
	if f := v.flows[name]; f != nil && v.running {
		return f
	}
	return &flow{}
}

// sorted are the tunnels in the order in which they are shown.
func (v *view) sorted() []listing.Tunnel {
	tunnels := slices.Clone(v.tunnels) // by name
	if v.byThroughput {
		throughput := func(t listing.Tunnel) float64 {
			sent, received, _ := v.flow(t.Name).rates()
			return sent + received
		}
		slices.SortStableFunc(tunnels, func(a, b listing.Tunnel) int { return cmp.Compare(throughput(b), throughput(a)) })
	}
	return tunnels
}

// title is the line above the table.
func (v *view) title() layout.Line {
	if !v.running {
		return layout.Line{layout.Painted("holdfastd is not running; tunnels that are up stay up", layout.Yellow)}
	}
	if v.trouble != "" {
		return layout.Line{layout.Painted(text.Printable(v.trouble), layout.Yellow)}
	}
	tally := listing.Count(v.tunnels)
	var sent, received float64
	for _, t := range v.tunnels {
		s, r, _ := v.flow(t.Name).rates()
		sent, received = sent+s, received+r
	}
	content := fmt.Sprintf("%d of %s up, network %s, %s received, %s sent", tally.Well, text.Count(tally.Wanted, "tunnel"), v.network, rate(received), rate(sent))
	line := layout.Line{layout.Plain(content)}
	if v.keys {
		sort := "throughput"
		if v.byThroughput {
			sort = "name"
		}
		line = append(line, layout.Painted(fmt.Sprintf("   s: sort by %s, q: quit", sort), layout.Dim))
	}
	return line
}

// rate is bytes per second for people: "1.5 KiB/s".
func rate(perSecond float64) string { return text.Bytes(uint64(perSecond+0.5)) + "/s" }

// frame is the whole picture (pure): the title and the table, as wide and high as the
// terminal, 0 for no end. Where it is too narrow the columns go that matter least.
func (v *view) frame(width, height int) []layout.Line {
	title := v.title()
	if width > 0 && title.Width() > width {
		title = title[:1].Cut(width)
	}
	lines := []layout.Line{title}
	if height == 0 || height > 6 {
		lines = append(lines, nil)
	}
	tunnels := v.sorted()
	if len(tunnels) == 0 {
		return append(lines, layout.Line{layout.Plain("No tunnels yet.")})
	}
	var left []layout.Line
	if room := height - len(lines) - 1; height > 0 && len(tunnels) > room {
		if room > 1 {
			room--
			left = []layout.Line{{layout.Painted(fmt.Sprintf("… and %d more", len(tunnels)-room), layout.Dim)}}
		}
		tunnels = tunnels[:max(room, 0)]
	}
	for _, line := range v.table(tunnels, width).Lines(width) {
		lines = append(lines, line.Cut(width))
	}
	lines = append(lines, left...)
	if height > 0 {
		lines = lines[:min(height, len(lines))]
	}
	return lines
}

// statusRoom is what is worth having of a status.
const statusRoom = 16

// table is the table of tunnels, of columns that fit into width; 0 is no end.
func (v *view) table(tunnels []listing.Tunnel, width int) *layout.Table {
	name := layout.Column{Name: "NAME", Shorten: true}
	columns := []layout.Column{
		name, {Name: "STATE", Min: len(tunnelfile.Connecting)},
		{Name: "RECEIVED", Min: len("999 KiB/s"), Right: true, GiveWay: 1}, {Name: "SENT", Min: len("999 KiB/s"), Right: true, GiveWay: 2},
		{Name: "RTT", Min: len("999 ms"), Right: true, GiveWay: 3}, {Name: "CHANNELS", Right: true, GiveWay: 4},
	}
	t := &layout.Table{Columns: columns}
	for _, tunnel := range tunnels {
		t.Add(v.row(tunnel, width)...)
	}
	room := width - t.Width()
	if width == 0 {
		room = noEnd
	}
	add := func(c layout.Column, cell func(listing.Tunnel) layout.Cell) {
		t.Columns = append(t.Columns, c)
		for i, tunnel := range tunnels {
			t.Rows[i] = append(t.Rows[i], cell(tunnel))
		}
	}
	if cells := sparkCells(room - layout.Gap); v.sparks && cells > 0 {
		add(layout.Column{Name: "LAST MINUTE"[:min(cells, len("LAST MINUTE"))], Min: cells}, func(t listing.Tunnel) layout.Cell {
			return layout.Painted(v.flow(t.Name).sparkline(cells, v.at), layout.Green)
		})
		room -= layout.Gap + cells
	}
	if room >= layout.Gap+statusRoom && v.running {
		add(layout.Column{Name: "STATUS"}, func(t listing.Tunnel) layout.Cell {
			return layout.Plain(layout.Cut(text.Printable(t.Status), room-layout.Gap))
		})
	}
	return t
}

// row is what is known of one tunnel.
func (v *view) row(t listing.Tunnel, width int) []layout.Cell {
	f := v.flow(t.Name)
	state := layout.Painted(string(t.State), tunnel.Color(t.State))
	if !v.running {
		state = layout.Painted("?", layout.Dim)
	}
	var received, sent, channels string
	if s, r, ok := f.rates(); ok {
		received, sent = rate(r), rate(s)
	}
	if f.counted {
		channels = fmt.Sprint(f.last.ChannelsOpen)
	}
	return []layout.Cell{
		layout.Plain(layout.Middle(t.Name, nameWidth(width))), state, layout.Plain(received), layout.Plain(sent),
		layout.Plain(text.Milliseconds(f.last.RoundTripTime)), layout.Plain(channels),
	}
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
	case room < least+layout.Gap+statusRoom:
		return min(room, most)
	}
	return min(room-layout.Gap-statusRoom, most)
}

// Row is a tunnel for scripts. Members are added, never renamed or removed.
type Row struct {
	Name              string   `json:"name"`
	State             string   `json:"state"`
	ReceivedPerSecond *float64 `json:"received_per_second"` // bytes; null while it does not run
	SentPerSecond     *float64 `json:"sent_per_second"`
	RoundTrip         float64  `json:"round_trip"`
	ChannelsOpen      int64    `json:"channels_open"`
}

func (v *view) json() []Row {
	list := []Row{}
	for _, t := range v.sorted() {
		f := v.flow(t.Name)
		j := Row{Name: t.Name, State: string(t.State), RoundTrip: f.last.RoundTripTime.Seconds(), ChannelsOpen: f.last.ChannelsOpen}
		if sent, received, ok := f.rates(); ok {
			j.SentPerSecond, j.ReceivedPerSecond = &sent, &received
		}
		list = append(list, j)
	}
	return list
}
