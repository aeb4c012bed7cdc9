package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/text"
)

// blocks are a part of the time, from an eighth to all of it.
var blocks = []rune("▁▂▃▄▅▆▇█")

// What a cell of a bar shows where there was no time to be up in, or where it was all lost.
const (
	notWanted = '·'
	allDown   = '✕'
)

// barCells is how many cells a bar has on a terminal so wide: those of a day are half hours, of a
// week six or three hours, and of a month a day or half a day.
func barCells(width int) int {
	if width > 0 && width < 110 {
		return 28
	}
	return 56
}

// slice is what became of a tunnel in a part of the time.
type slice struct{ up, down time.Duration }

// slices cuts a tunnel's time into parts of the same length (pure).
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
		ended := o.Ended
		if ended.IsZero() {
			ended = of.now
		}
		add(span{o.Began, ended}, func(s *slice) *time.Duration { return &s.down })
	}
	return parts
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// bar is a tunnel's time in so many cells, the last one now: the higher the block, the more of the
// time in which it was wanted up it was. An outage is seen, however short.
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

// barColor is that of a bar: green without an outage.
func barColor(p past) layout.Color {
	if len(p.Outages) > 0 {
		return layout.Yellow
	}
	return layout.Green
}

// barKey says what the cells of bars are.
func barKey(of period, cells int) string {
	return fmt.Sprintf("A cell is %s: █ up, ▁ to ▇ partly, ✕ down, · not wanted up or not known.", text.Span(of.now.Sub(of.since)/time.Duration(cells)))
}
