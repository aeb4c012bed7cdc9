package testbed

import (
	"regexp"
	"strconv"
	"strings"
)

// controls are what programs of ours send to a terminal beside text: CSI sequences, OSC 8, and
// single characters.
var controls = regexp.MustCompile(`\x1b\[([?<]?[0-9;]*)([A-Za-z])|\x1b\][^\x1b\a]*(?:\x1b\\|\a)|\r|\n|\x08`)

// Screen is what a terminal of so many columns and rows shows, after all that was written to it:
// its lines without the spaces at their ends. It knows only the part of ECMA-48 that our programs
// use, and shows each rune in one column.
func (p *Terminal) Screen(columns, rows int) []string {
	s := screen{columns: columns, rows: rows}
	s.clear()
	written := p.Shown()
	for written != "" {
		at := controls.FindStringSubmatchIndex(written)
		if at == nil {
			s.write(written)
			break
		}
		s.write(written[:at[0]])
		if control := written[at[0]:at[1]]; at[4] >= 0 {
			s.control(written[at[2]:at[3]], written[at[4]:at[5]])
		} else {
			s.move(control)
		}
		written = written[at[1]:]
	}
	var lines []string
	for _, line := range s.cells {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return lines
}

type screen struct {
	columns, rows int
	x, y          int
	cells         [][]rune
	before        [][]rune // of the other screen
	left          [2]int   // the cursor before the switch to the alternate screen
}

func (s *screen) clear() {
	s.cells = nil
	for range s.rows {
		s.cells = append(s.cells, []rune(strings.Repeat(" ", s.columns)))
	}
}

func (s *screen) write(text string) {
	for _, r := range text {
		s.cells[s.y][min(s.x, s.columns-1)] = r
		s.x++
	}
}

func (s *screen) move(control string) {
	switch control {
	case "\r":
		s.x = 0
	case "\b":
		s.x = max(s.x-1, 0)
	case "\n":
		if s.y++; s.y == s.rows {
			s.y--
			s.cells = append(s.cells[1:], []rune(strings.Repeat(" ", s.columns)))
		}
	}
}

func (s *screen) control(parameters, final string) {
	first, second, _ := strings.Cut(parameters, ";")
	n, _ := strconv.Atoi(first)
	m, _ := strconv.Atoi(second)
	switch final {
	case "H":
		s.y, s.x = min(max(n, 1), s.rows)-1, min(max(m, 1), s.columns)-1
	case "A":
		s.y = max(s.y-max(n, 1), 0)
	case "C":
		s.x = min(s.x+max(n, 1), s.columns-1)
	case "D":
		s.x = max(s.x-max(n, 1), 0)
	case "K":
		s.erase(s.y)
	case "J":
		if n == 2 {
			s.clear()
			return
		}
		s.erase(s.y)
		for y := s.y + 1; y < s.rows; y++ {
			copy(s.cells[y], []rune(strings.Repeat(" ", s.columns)))
		}
	case "h", "l":
		if parameters == "?1049" {
			s.cells, s.before = s.before, s.cells
			if final == "h" {
				s.left = [2]int{s.x, s.y}
			} else {
				s.x, s.y = s.left[0], s.left[1]
			}
			if s.cells == nil {
				s.clear()
			}
		}
	}
}

// erase clears a line from the cursor's column on.
func (s *screen) erase(y int) {
	for x := s.x; x < s.columns; x++ {
		s.cells[y][x] = ' '
	}
}
