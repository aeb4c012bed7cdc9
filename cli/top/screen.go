package top

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/layout"
)

// screen is a terminal of which all is written again and again.
type screen struct {
	file          *os.File
	look          layout.Look
	width, height int // 0: no end
}

func newScreen(look layout.Look) *screen {
	s := &screen{file: os.Stdout, look: look}
	s.resize()
	return s
}

// resize looks again how large the terminal is.
func (s *screen) resize() {
	s.width, s.height = 0, 0
	if width, height, err := term.GetSize(int(s.file.Fd())); err == nil {
		s.width, s.height = width, height
	}
}

// open begins a picture. What the terminal showed before comes back with close.
func (s *screen) open() {
	fmt.Fprint(s.file, "\x1b[?1049h\x1b[?25l\x1b[?7l") // another screen, no cursor, no wrapping
}

func (s *screen) close() {
	fmt.Fprint(s.file, "\x1b[?7h\x1b[?25h\x1b[?1049l")
}

// draw draws the picture over the one before.
func (s *screen) draw(frame func(width, height int) []layout.Line) {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range frame(s.width, s.height) {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(s.look.Render(line) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(s.file, b.String()) // at once: nothing flickers
}
