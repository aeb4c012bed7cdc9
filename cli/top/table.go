package top

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// view is what top shows.
type view struct {
	running      bool // the daemon
	network      string
	tunnels      []listing.Tunnel // the last that was heard of
	flows        map[string]*flow
	at           time.Time // of the last point
	byThroughput bool      // how they are sorted; else by name
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

// count takes in what these tunnels had counted.
func (v *view) count(asked []listing.Tunnel, counted map[string]dbusapi.Statistics, at time.Time) {
	v.at = at
	for _, t := range asked {
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

// rate is bytes per second for people: "1.5 KiB/s".
func rate(perSecond float64) string { return text.Bytes(uint64(perSecond+0.5)) + "/s" }

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
