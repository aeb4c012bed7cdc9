// Package layout arranges what the command line prints: tables, pages of names and values, paragraphs,
// and colours.
//
// It is pure. It knows widths and words, but no terminal and no tunnels. If the width is too small,
// long text first wraps in its column. Then columns leave the table in the order of GiveWay, or move
// below their row. Names are shortened in the middle last. Without a width, as in a pipe, nothing is
// cut or wrapped.
package layout

import (
	"cmp"
	"slices"
	"strings"
)

// Gap is the space between two columns.
const Gap = 2

// leastName is the smallest width of a shortened name.
const leastName = 5

// indent precedes the text of a column that moved below its row.
const indent = "  "

// Cell is a piece of text with its colour and link.
type Cell struct {
	Text  string
	Color Color
	Link  string // a URL that a terminal may open
}

// Plain returns a cell without colour.
func Plain(text string) Cell { return Cell{Text: text} }

// Painted returns a cell in a colour.
func Painted(text string, c Color) Cell { return Cell{Text: text, Color: c} }

// Line is one printed line: cells side by side, already padded.
type Line []Cell

// Width is the number of terminal columns that the line takes.
func (l Line) Width() (width int) {
	for _, c := range l {
		width += Width(c.Text)
	}
	return width
}

// Cut shortens the line to width. 0 means no limit.
func (l Line) Cut(width int) Line {
	if width <= 0 || l.Width() <= width {
		return l
	}
	var fits Line
	for _, c := range l {
		w := Width(c.Text)
		if w > width {
			if width > 0 {
				c.Text = Cut(c.Text, width)
				fits = append(fits, c)
			}
			break
		}
		fits, width = append(fits, c), width-w
	}
	return fits
}

// Column describes how a column of a table behaves.
type Column struct {
	Name  string // its header; a table without any name has no header line
	Min   int    // the smallest width, also for wrapped text
	Right bool   // aligned to the right
	Wrap  bool   // long text wraps in its column; otherwise it stays on one line
	// Shorten lets names and paths lose their middle, as the last resort. Other text is never cut.
	// Soft shortens the column down to Min before any column gives way.
	Shorten, Soft bool
	// GiveWay is the order in which columns leave a table that is too wide: the highest first, 0
	// never. With Below the column moves below its row instead.
	GiveWay int
	Below   bool
}

// Table is rows of cells. A cell may have several lines.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// Page is a table of names and values. Names are aligned right; values wrap beside them.
func Page() *Table {
	return &Table{Columns: []Column{{Right: true}, {Wrap: true, Min: 20}}}
}

// Row appends a name and its value to a page.
func (t *Table) Row(name string, value Cell) {
	if name != "" {
		name += ":"
	}
	t.Add(Painted(name, Dim), value)
}

// Lines renders the table at this width. 0 means no limit.
func (t *Table) Lines(width int) []Line {
	f := t.fit(width)
	var lines []Line
	if header := t.header(); header != nil {
		lines = append(lines, t.row(header, f)...)
	}
	for _, row := range t.Rows {
		lines = append(lines, t.row(row, f)...)
	}
	return lines
}

// Width is the table's width without any shortening.
func (t *Table) Width() int {
	f := t.fit(0)
	total := Gap * (len(f.inline) - 1)
	for _, w := range f.widths {
		total += w
	}
	return total
}

func (t *Table) header() (row []Cell) {
	if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name != "" }) {
		return nil
	}
	for _, c := range t.Columns {
		row = append(row, Painted(c.Name, Bold))
	}
	return row
}

// fitted is the layout of a table's columns at one width.
type fitted struct {
	width  int   // of a line; 0 means no limit
	inline []int // the indexes of the columns side by side
	widths []int // of all columns, by index
	below  []int // the indexes of the columns below their row
}

// fit decides which columns are shown and how wide they are.
func (t *Table) fit(width int) fitted {
	f := fitted{width: width, widths: make([]int, len(t.Columns))}
	whole := make([]int, len(t.Columns))
	left := width + Gap
	for i := range t.Columns {
		f.inline = append(f.inline, i)
		f.widths[i], whole[i] = t.columnWidths(i)
		left -= f.widths[i] + Gap
	}
	if width <= 0 {
		f.widths = whole
		return f
	}
	for left < 0 {
		next := slices.MaxFunc(f.inline, func(a, b int) int { return cmp.Compare(t.Columns[a].GiveWay, t.Columns[b].GiveWay) })
		if t.Columns[next].GiveWay == 0 {
			break
		}
		f.inline = slices.DeleteFunc(f.inline, func(i int) bool { return i == next })
		left += f.widths[next] + Gap
		if t.Columns[next].Below {
			f.below = append(f.below, next)
		}
	}
	slices.Sort(f.below)
	for ; left < 0 && t.shortenWidest(f); left++ {
	}
	for _, i := range f.inline { // give the remaining space to long text, from the left
		more := max(0, min(whole[i]-f.widths[i], left))
		f.widths[i] += more
		left -= more
	}
	return f
}

// columnWidths are the smallest width of a column, and the one that shows all its text.
func (t *Table) columnWidths(i int) (least, whole int) {
	c := t.Columns[i]
	least, whole = max(c.Min, Width(c.Name)), Width(c.Name)
	for _, row := range t.Rows {
		if i < len(row) {
			whole = max(whole, Width(row[i].Text))
		}
	}
	if c.Wrap || c.Soft {
		return min(least, whole), whole
	}
	whole = max(least, whole)
	return whole, whole
}

// shortenWidest makes the widest column of names narrower by one. It is false if none can be.
func (t *Table) shortenWidest(f fitted) bool {
	widest := -1
	for _, i := range f.inline {
		if t.Columns[i].Shorten && f.widths[i] > leastName && (widest < 0 || f.widths[i] > f.widths[widest]) {
			widest = i
		}
	}
	if widest >= 0 {
		f.widths[widest]--
	}
	return widest >= 0
}

// row renders a row as lines.
func (t *Table) row(row []Cell, f fitted) []Line {
	parts := make([][]string, len(t.Columns))
	height := 1
	for _, i := range f.inline {
		if i >= len(row) {
			continue
		}
		switch {
		case f.width > 0 && t.Columns[i].Wrap:
			parts[i] = Wrap(row[i].Text, f.widths[i])
		case f.width > 0 && t.Columns[i].Shorten:
			parts[i] = []string{Middle(row[i].Text, f.widths[i])}
		default:
			parts[i] = strings.Split(row[i].Text, "\n")
		}
		height = max(height, len(parts[i]))
	}
	var lines []Line
	for n := range height {
		var line Line
		for _, i := range f.inline {
			c := Cell{}
			if n < len(parts[i]) {
				c = row[i]
				c.Text = parts[i][n]
			}
			if len(line) > 0 {
				line = append(line, Plain(strings.Repeat(" ", Gap)))
			}
			line = append(line, t.pad(i, f.widths[i], c)...)
		}
		lines = append(lines, trimRight(line))
	}
	for _, i := range f.below {
		if i >= len(row) || row[i].Text == "" || t.Columns[i].Name == row[i].Text {
			continue
		}
		for _, part := range Wrap(row[i].Text, max(f.width-len(indent), 1)) {
			c := row[i]
			c.Text = part
			lines = append(lines, Line{Plain(indent), c})
		}
	}
	return lines
}

// pad is a cell and the space beside it that fills the column. The space has no colour.
func (t *Table) pad(column, width int, c Cell) Line {
	space := Plain(strings.Repeat(" ", max(width-Width(c.Text), 0)))
	if t.Columns[column].Right {
		return Line{space, c}
	}
	return Line{c, space}
}

// trimRight removes the spaces at the end of a line.
func trimRight(line Line) Line {
	for len(line) > 0 {
		last := &line[len(line)-1]
		if last.Text = strings.TrimRight(last.Text, " "); last.Text != "" {
			break
		}
		line = line[:len(line)-1]
	}
	return line
}

// Block is a part of the output. Exactly one of Text, Command, Table and Hint is set.
type Block struct {
	Text    string // a paragraph, which wraps
	Color   Color  // of Text
	Command string // stays on one line so that it can be pasted
	Table   *Table
	Hint    string // what a person can do
}

// Lines renders the block at this width. 0 means no limit.
func (b Block) Lines(width int) (lines []Line) {
	var parts []string
	switch {
	case b.Table != nil:
		return b.Table.Lines(width)
	case b.Hint != "":
		parts = Hang("hint: ", b.Hint, width)
	case b.Command != "":
		parts = []string{b.Command}
	default:
		parts = Wrap(b.Text, width)
	}
	for _, part := range parts {
		lines = append(lines, Line{Painted(part, b.Color)})
	}
	return lines
}
