package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/text"
)

// blocks are the cells of a bar, from an eighth to the whole.
var blocks = []rune("▁▂▃▄▅▆▇█")

// Cells for a part in which the tunnel was not wanted up, or was down all the time.
const (
	notWanted = '·'
	allDown   = '✕'
)

// barCells is how many cells a bar has at a terminal's width. In a week a cell is six or three hours.
func barCells(width int) int {
	if width > 0 && width < 110 {
		return 28
	}
	return 56
}

// slice is how long a tunnel was up and down in a part of the period.
type slice struct{ up, down time.Duration }

// slices divides the period into n parts of the same length (pure).
func (p past) slices(of period, n int) []slice {
	parts := make([]slice, n)
	step := max(of.now.Sub(of.since)/time.Duration(n), 1)
	add := func(s span, to func(*slice) *time.Duration) {
		for i := range parts {
			from := of.since.Add(step * time.Duration(i))
			begins, ends := later(s.from, from), earlier(s.to, from.Add(step))
			if d := ends.Sub(begins); d > 0 {
				*to(&parts[i]) += d
			}
		}
	}
	for _, s := range p.Ups {
		add(s, func(s *slice) *time.Duration { return &s.up })
	}
	for _, o := range p.Outages {
		add(o.span(of.now), func(s *slice) *time.Duration { return &s.down })
	}
	return parts
}

func later(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }

func earlier(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }

// bar draws the period in cells, ending now. The height of a cell is the share of the wanted time in
// which the tunnel was up. Even a short outage is visible.
func (p past) bar(of period, cells int) string {
	var bar strings.Builder
	for _, s := range p.slices(of, cells) {
		bar.WriteRune(s.cell())
	}
	return bar.String()
}

func (s slice) cell() rune {
	switch {
	case s.up+s.down == 0:
		return notWanted
	case s.up == 0:
		return allDown
	case s.down == 0:
		return blocks[len(blocks)-1]
	}
	return blocks[int(float64(s.up)/float64(s.up+s.down)*float64(len(blocks)-1))]
}

// barColor is green if the tunnel had no outage, else yellow.
func barColor(p past) layout.Color {
	if len(p.Outages) > 0 {
		return layout.Yellow
	}
	return layout.Green
}

// barKey explains the cells of a bar.
func barKey(of period, cells int) string {
	return fmt.Sprintf("A cell is %s: █ up, ▁ to ▇ partly, ✕ down, · not wanted up or not known.", text.Span(of.now.Sub(of.since)/time.Duration(cells)))
}
