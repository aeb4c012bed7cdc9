package top

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
)

// minute is the time that a sparkline covers.
const minute = time.Minute

// flow is the recent traffic of a tunnel.
type flow struct {
	points  []point // in order of time; at least one is older than a minute if there is one
	last    dbusapi.Statistics
	counted bool // last is current
}

// point is the number of bytes since top started, at one time.
type point struct {
	at             time.Time
	sent, received uint64
}

// count adds a point from a tunnel's counters. ok is false if the tunnel does not run.
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

// grown is by how much a counter has grown. A new worker starts it from 0.
func grown(before, now uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// rates are bytes per second between the last two points. ok is false if there are none.
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

// total is the number of bytes at a time, interpolated between points.
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

// leastPeak is the smallest full height of a sparkline in bytes per second.
const leastPeak = 1024

// sparkline draws the throughput of the last minute in cells, ending now. Any traffic is visible.
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
