package top

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/layout"
)

// screen is a terminal that shows one picture after the other.
type screen struct {
	file          *os.File
	look          layout.Look
	width, height int
	shown         []string // the picture, a line each; nil: nobody knows what is there
	isOpen        bool
}

func newScreen(look layout.Look) *screen {
	s := &screen{file: os.Stdout, look: look}
	s.resize()
	return s
}

// resize looks again how large the terminal is.
func (s *screen) resize() {
	s.width, s.height, s.shown = 80, 24, nil
	if width, height, err := term.GetSize(int(s.file.Fd())); err == nil && width > 0 && height > 0 {
		s.width, s.height = width, height
	}
}

// open begins a picture: another screen, without a cursor and without wrapping, that tells of the
// mouse. What the terminal showed before comes back with close.
func (s *screen) open() {
	fmt.Fprint(s.file, "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h")
	s.shown, s.isOpen = nil, true
}

func (s *screen) close() {
	if s.isOpen {
		fmt.Fprint(s.file, "\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l")
	}
	s.isOpen = false
}

// draw shows a picture. Only lines that differ from what is there are written, all at once, and
// terminals that know mode 2026 show them at once: nothing flickers, and nothing is written where
// nothing changed.
func (s *screen) draw(picture []layout.Line) {
	var b strings.Builder
	if s.shown == nil {
		b.WriteString("\x1b[2J")
		s.shown = make([]string, s.height) // which differs from any line
	}
	for i := range s.shown {
		line := ""
		if i < len(picture) {
			cells := picture[i].Cut(s.width)
			if line = s.look.Render(cells); cells.Width() < s.width { // else the last cell would go
				line += "\x1b[K"
			}
		}
		if line != s.shown[i] {
			fmt.Fprintf(&b, "\x1b[%d;1H%s", i+1, line)
			s.shown[i] = line
		}
	}
	if b.Len() > 0 {
		fmt.Fprintf(s.file, "\x1b[?2026h%s\x1b[?2026l", b.String())
	}
}
