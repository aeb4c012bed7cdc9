package recipes

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A cell of the picture, and the space around the text.
const cellWidth, cellHeight, margin = 8.4, 18, 12

// colours are those of a terminal, by their number in SGR sequences less 30; bright ones from 60 on.
var colours = map[int]string{
	0: "#45475a", 1: "#f38ba8", 2: "#a6e3a1", 3: "#f9e2af", 4: "#89b4fa", 5: "#cba6f7", 6: "#94e2d5", 7: "#cdd6f4",
	60: "#7f849c", 61: "#f38ba8", 62: "#a6e3a1", 63: "#f9e2af", 64: "#89b4fa", 65: "#cba6f7", 66: "#94e2d5", 67: "#ffffff",
}

const background, foreground = "#1e1e2e", "#cdd6f4"

// style is how text is shown, as set by SGR of ECMA-48.
type style struct {
	bold, dim, reverse bool
	colour             string
}

func (s style) with(code int) style {
	switch {
	case code == 0:
		return style{}
	case code == 1:
		s.bold = true
	case code == 2:
		s.dim = true
	case code == 7:
		s.reverse = true
	case code == 22:
		s.bold, s.dim = false, false
	case code == 27:
		s.reverse = false
	case code == 39:
		s.colour = ""
	case colours[code-30] != "":
		s.colour = colours[code-30]
	}
	return s
}

// SVG draws a screen so many columns wide, whose lines have no control sequences but SGR, as
// "tmux capture-pane -e" has them.
func SVG(screen string, columns int) string {
	lines := strings.Split(strings.TrimRight(screen, "\n "), "\n")
	width, height := float64(columns)*cellWidth+2*margin, len(lines)*cellHeight+2*margin
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d">`+"\n", width, height, width, height)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" rx="6" fill="%s"/>`+"\n", background)
	fmt.Fprintf(&out, `<g font-family="'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="14" fill="%s" xml:space="preserve">`+"\n", foreground)
	var now style
	for row, line := range lines {
		column := 0
		for piece := range strings.SplitSeq("\x1b[m"+line, "\x1b[") { // a line begins with the style of the one before
			codes, text, found := strings.Cut(piece, "m")
			if !found {
				continue
			}
			if column > 0 || row == 0 || codes != "" {
				for code := range strings.SplitSeq(codes, ";") {
					number, _ := strconv.Atoi(code)
					now = now.with(number)
				}
			}
			drawRun(&out, text, row, column, now)
			column += utf8.RuneCountInString(text)
		}
	}
	out.WriteString("</g>\n</svg>\n")
	return out.String()
}

// drawRun draws text of one style. It sets the length, so that columns are aligned in any font.
func drawRun(out *strings.Builder, text string, row, column int, s style) {
	colour := s.colour
	if colour == "" {
		colour = foreground
	}
	x, length := margin+float64(column)*cellWidth, float64(utf8.RuneCountInString(text))*cellWidth
	if s.reverse {
		fmt.Fprintf(out, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", x, margin+row*cellHeight, length, cellHeight, colour)
		colour = background
	}
	shown := strings.TrimRight(text, " ")
	if strings.TrimLeft(shown, " ") == "" {
		return
	}
	blanks := len(shown) - len(strings.TrimLeft(shown, " "))
	shown, x = shown[blanks:], x+float64(blanks)*cellWidth
	attributes := ""
	if s.bold {
		attributes += ` font-weight="bold"`
	}
	if s.dim {
		attributes += ` opacity="0.6"`
	}
	if colour != foreground {
		attributes += fmt.Sprintf(` fill="%s"`, colour)
	}
	fmt.Fprintf(out, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
		x, margin+row*cellHeight+13, float64(utf8.RuneCountInString(shown))*cellWidth, attributes, html.EscapeString(shown))
}
