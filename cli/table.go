package cli

import (
	"strings"
	"unicode/utf8"
)

// cell is one cell of a table.
type cell struct {
	text  string
	color string // SGR code; empty: none
}

// table is rows of cells.
type table [][]cell

// gap is between columns.
const gap = 2

// lines are the rows with their cells padded to columns. The last column is not padded,
// and is cut so that a line has at most width runes; 0 is no end.
func (t table) lines(width int) [][]cell {
	var widths []int
	for _, row := range t {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	lines := make([][]cell, len(t))
	for i, row := range t {
		used := 0
		for j, c := range row {
			room := 0
			if width > 0 {
				room = max(width-used, 1)
			}
			if used < width || width == 0 {
				c.text = cut(c.text, room)
			} else {
				c.text = ""
			}
			if j < len(row)-1 {
				padded := widths[j] + gap
				c.text += strings.Repeat(" ", max(padded-utf8.RuneCountInString(c.text), 0))
				used += padded
			}
			lines[i] = append(lines[i], c)
		}
	}
	return lines
}
