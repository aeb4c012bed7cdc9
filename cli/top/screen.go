package top

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/layout"
)

// screen shows one picture after another on the terminal.
type screen struct {
	file          *os.File
	look          layout.Look
	width, height int
	shown         []string // the lines on the screen; nil if unknown
	isOpen        bool
}

func newScreen(look layout.Look) *screen {
	s := &screen{file: os.Stdout, look: look}
	s.resize()
	return s
}

// resize reads the size of the terminal.
func (s *screen) resize() {
	s.width, s.height, s.shown = 80, 24, nil
	if width, height, err := term.GetSize(int(s.file.Fd())); err == nil && width > 0 && height > 0 {
		s.width, s.height = width, height
	}
}

// open switches to the alternate screen, hides the cursor, and turns line wrap off and mouse reports
// on. close restores what the terminal showed before.
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

// draw shows a picture. It writes only the lines that differ, in one write. Terminals with synchronized
// output (mode 2026) show them at once, so that nothing flickers.
func (s *screen) draw(picture []layout.Line) {
	var b strings.Builder
	if s.shown == nil {
		b.WriteString("\x1b[2J")
		s.shown = make([]string, s.height) // differs from every rendered line
	}
	for i := range s.shown {
		line := ""
		if i < len(picture) {
			cells := picture[i].Cut(s.width)
			if line = s.look.Render(cells); cells.Width() < s.width { // in a full line it would clear the last cell
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
