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
	widths []int // their widths
	below  []int // the indexes of the columns below their row
}

// fit decides which columns are shown and how wide they are.
func (t *Table) fit(width int) fitted {
	f := fitted{width: width}
	whole := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		f.inline = append(f.inline, i)
		whole[i] = max(c.Min, Width(c.Name))
		if c.Wrap || c.Soft {
			whole[i] = Width(c.Name)
		}
		for _, row := range t.Rows {
			if i < len(row) {
				whole[i] = max(whole[i], Width(row[i].Text))
			}
		}
	}
	least := func(i int) int {
		if c := t.Columns[i]; c.Wrap || c.Soft {
			return min(whole[i], max(c.Min, Width(c.Name)))
		}
		return whole[i]
	}
	spare := func() int {
		left := width - Gap*(len(f.inline)-1)
		for _, i := range f.inline {
			left -= least(i)
		}
		return left
	}
	for width > 0 && spare() < 0 {
		next := slices.MaxFunc(f.inline, func(a, b int) int { return cmp.Compare(t.Columns[a].GiveWay, t.Columns[b].GiveWay) })
		if t.Columns[next].GiveWay == 0 {
			break
		}
		f.inline = slices.DeleteFunc(f.inline, func(i int) bool { return i == next })
		if t.Columns[next].Below {
			f.below = append(f.below, next)
		}
	}
	slices.Sort(f.below)
	left := spare()
	for _, i := range f.inline {
		w := whole[i]
		if width > 0 {
			w = least(i)
		}
		f.widths = append(f.widths, w)
	}
	if width <= 0 {
		return f
	}
	for ; left < 0; left++ { // shorten names, the widest first
		widest := -1
		for at, i := range f.inline {
			if t.Columns[i].Shorten && f.widths[at] > leastName && (widest < 0 || f.widths[at] > f.widths[widest]) {
				widest = at
			}
		}
		if widest < 0 {
			break
		}
		f.widths[widest]--
	}
	for at, i := range f.inline { // give the remaining space to long text, from the left
		more := min(whole[i]-f.widths[at], left)
		if more > 0 {
			f.widths[at] += more
			left -= more
		}
	}
	return f
}

// row renders a row as lines.
func (t *Table) row(row []Cell, f fitted) []Line {
	parts := make([][]string, len(f.inline))
	height := 1
	for at, i := range f.inline {
		if i >= len(row) {
			continue
		}
		switch w := f.widths[at]; {
		case f.width > 0 && t.Columns[i].Wrap:
			parts[at] = Wrap(row[i].Text, w)
		case f.width > 0 && t.Columns[i].Shorten:
			parts[at] = []string{Middle(row[i].Text, w)}
		default:
			parts[at] = strings.Split(row[i].Text, "\n")
		}
		height = max(height, len(parts[at]))
	}
	var lines []Line
	for n := range height {
		var line Line
		for at, i := range f.inline {
			c := Cell{}
			if n < len(parts[at]) {
				c = row[i]
				c.Text = parts[at][n]
			}
			line = append(line, t.pad(i, f.widths[at], c)...)
			if at < len(f.inline)-1 {
				line = append(line, Plain(strings.Repeat(" ", Gap)))
			}
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
