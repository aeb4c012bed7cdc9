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

// view is the data that top shows.
type view struct {
	running      bool // the daemon runs
	network      string
	tunnels      []listing.Tunnel // of the last snapshot with a running daemon
	flows        map[string]*flow
	at           time.Time // of the last point
	byThroughput bool      // sort by throughput; otherwise by name
	sparks       bool      // show sparklines
	trouble      string    // why the last request for counters failed
}

// update takes over a snapshot. While the daemon does not run, the tunnels stay.
func (v *view) update(s dbusapi.Snapshot, patterns []string) {
	if v.running = s.Running; !s.Running {
		return
	}
	tunnels := slices.DeleteFunc(slices.Clone(s.Tunnels), func(t listing.Tunnel) bool {
		return !tunnel.Matches(t, patterns)
	})
	v.network, v.tunnels = s.Global.Network, tunnels
	for name := range v.flows {
		if _, ok := listing.Find(tunnels, name); !ok {
			delete(v.flows, name)
		}
	}
}

// count adds the counters of the asked tunnels.
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

// flow is a tunnel's flow. It is empty if the tunnel was not counted or the daemon does not run.
func (v *view) flow(name string) *flow {
	if f := v.flows[name]; f != nil && v.running {
		return f
	}
	return &flow{}
}

// sorted returns the tunnels in the order of display.
func (v *view) sorted() []listing.Tunnel {
	tunnels := slices.Clone(v.tunnels) // sorted by name
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

// statusRoom is the smallest useful width of the status.
const statusRoom = 16

// table is the table of tunnels with the columns that fit. width 0 means no limit.
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

// row is the cells of one tunnel.
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

// nameWidth is how wide a name may be at a terminal's width. 0 means no limit.
func nameWidth(width int) int {
	if width == 0 {
		return 0
	}
	return max(width/3, 9)
}

// noEnd is a width or a distance that is larger than any real one.
const noEnd = 1 << 16

// sparkCells is how many cells a sparkline has in this width. It has priority over the status, but
// leaves space for it if both fit.
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

// Row is a tunnel with --json. Members are added, never renamed or removed.
type Row struct {
	Name              string   `json:"name"`
	State             string   `json:"state"`
	ReceivedPerSecond *float64 `json:"received_per_second"` // bytes; null if not known, as while it does not run
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
