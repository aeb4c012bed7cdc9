// Package layout arranges what the command line prints: tables, pages of names and values,
// paragraphs, and the look of a cell.
//
// It is pure: it knows widths and words, no terminal, no tunnels. Where the width is short,
// long text wraps under its column first; then columns give way in their order, out of the
// table or below their row; names are shortened in the middle last of all. Where there is no
// width, as in a pipe, nothing is cut or wrapped.
package layout

import (
	"cmp"
	"slices"
	"strings"
)

// Gap is the space between two columns.
const Gap = 2

// leastName is how much of a name is left.
const leastName = 5

// indent is how far text stands in that went below its row.
const indent = "  "

// Cell is a piece of text with its look.
type Cell struct {
	Text  string
	Color Color
	Link  string // a URL that a terminal may open from here
}

// Plain is a cell without colour.
func Plain(text string) Cell { return Cell{Text: text} }

// Painted is a cell in a colour.
func Painted(text string, c Color) Cell { return Cell{Text: text, Color: c} }

// Line is one line as it is printed: cells beside each other, padded already.
type Line []Cell

// Width is how many columns of a terminal the line takes.
func (l Line) Width() (width int) {
	for _, c := range l {
		width += Width(c.Text)
	}
	return width
}

// Cut is the line with what does not fit into width taken off; 0 is no end.
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

// Column is how a column of a table behaves.
type Column struct {
	Name  string // its header; a table whose columns have none has no header
	Min   int    // as wide at least, also where the text wraps
	Right bool   // aligned
	Wrap  bool   // long text goes on under its column; else it stays in one line
	// Shorten has it lose its middle, last of all: names and paths. No other text is cut. Soft
	// has it do so down to Min before any column gives way.
	Shorten, Soft bool
	// GiveWay is the order in which columns leave a table that is too wide: the highest first,
	// and 0 never. Below has it go below its row instead of away.
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

// Page is a table of names and values: the names to the left, aligned right; a value wraps
// beside its name.
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

// Lines are the table's lines, where a line may have so many columns; 0 is no end.
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

// Width is how wide the table is with everything in it whole.
func (t *Table) Width() int {
	f := t.fit(0)
	total := Gap * (len(f.inline) - 1)
	for _, w := range f.widths {
		total += w
	}
	return total
}

func (t *Table) header() (row []Cell) {
	named := false
	for _, c := range t.Columns {
		row = append(row, Painted(c.Name, Bold))
		named = named || c.Name != ""
	}
	if !named {
		return nil
	}
	return row
}

// fitted is a table's columns for one width.
type fitted struct {
	width  int   // of a line; 0: no end
	inline []int // the columns beside each other
	widths []int // theirs
	below  []int // the columns that went below their row
}

// fit decides which columns there are, and how wide.
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
	for ; left < 0; left++ { // names are shortened, the longest first
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
	for at, i := range f.inline { // what is left goes to long text, from the left
		more := min(whole[i]-f.widths[at], left)
		if more > 0 {
			f.widths[at] += more
			left -= more
		}
	}
	return f
}

// row is a row's lines.
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

// pad is a cell with the space that its column has beside it, which has no look.
func (t *Table) pad(column, width int, c Cell) Line {
	space := Plain(strings.Repeat(" ", max(width-Width(c.Text), 0)))
	if t.Columns[column].Right {
		return Line{space, c}
	}
	return Line{c, space}
}

// trimRight takes off the space at the end of a line.
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

// Block is one piece of what is printed, one of these.
type Block struct {
	Text    string // a paragraph, which wraps
	Color   Color  // of Text
	Command string // to be pasted: it stays one line
	Table   *Table
	Hint    string // what to do
}

// Lines are blocks one below the other, where a line may have so many columns; 0 is no end.
func Lines(blocks []Block, width int) (lines []Line) {
	plain := func(color Color, parts []string) {
		for _, part := range parts {
			lines = append(lines, Line{Painted(part, color)})
		}
	}
	for _, b := range blocks {
		switch {
		case b.Table != nil:
			lines = append(lines, b.Table.Lines(width)...)
		case b.Hint != "":
			plain("", Hang("hint: ", b.Hint, width))
		case b.Command != "":
			plain("", []string{b.Command})
		default:
			plain(b.Color, Wrap(b.Text, width))
		}
	}
	return lines
}
