package layout

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Color is an SGR code of ECMA-48; "" is the terminal's own.
type Color string

// What the command line uses. Nothing is told by colour alone.
const (
	Bold   Color = "1"
	Dim    Color = "2"
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	Cyan   Color = "36"
)

// Look is what a terminal can show.
type Look struct {
	Color bool
	Links bool // OSC 8
}

// Render is a line as it goes to the terminal.
func (l Look) Render(line Line) string {
	var b strings.Builder
	for _, c := range line {
		b.WriteString(l.Cell(c))
	}
	return b.String()
}

// Cell is one cell as it goes to the terminal.
func (l Look) Cell(c Cell) string {
	out := c.Text
	if l.Color && c.Color != "" && out != "" {
		out = "\x1b[" + string(c.Color) + "m" + out + "\x1b[0m"
	}
	if l.Links && c.Link != "" && out != "" {
		out = "\x1b]8;;" + c.Link + "\x1b\\" + out + "\x1b]8;;\x1b\\"
	}
	return out
}

// Paint is a text in a colour.
func (l Look) Paint(c Color, text string) string { return l.Cell(Painted(text, c)) }

// FileLink is the URL of a file of this machine.
func FileLink(path string) string {
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// HasLinks says whether a terminal is known to open links, by what it tells of itself in the
// environment. Others may print the address in the middle of the text.
func HasLinks(getenv func(string) string) bool {
	if force := getenv("FORCE_HYPERLINK"); force != "" {
		return force != "0"
	}
	vte, _ := strconv.Atoi(getenv("VTE_VERSION"))
	konsole, _ := strconv.Atoi(getenv("KONSOLE_VERSION"))
	term := getenv("TERM")
	return vte >= 5000 || konsole >= 201200 ||
		slices.Contains([]string{"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper"}, getenv("TERM_PROGRAM")) ||
		slices.Contains([]string{"xterm-kitty", "xterm-ghostty", "foot", "foot-extra", "alacritty", "contour"}, term)
}
