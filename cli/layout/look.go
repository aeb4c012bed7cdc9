package layout

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Color is an SGR code (ECMA-48). "" is the terminal's default.
type Color string

// The colours in use. A colour never carries information alone.
const (
	Bold   Color = "1"
	Dim    Color = "2"
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	Cyan   Color = "36"
)

// Look is which features a terminal has.
type Look struct {
	Color bool
	Links bool // OSC 8 hyperlinks
}

// Render is a line with its escape sequences.
func (l Look) Render(line Line) string {
	var b strings.Builder
	for _, c := range line {
		b.WriteString(l.Cell(c))
	}
	return b.String()
}

// Cell is a cell with its escape sequences.
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

// Paint is text in a colour.
func (l Look) Paint(c Color, text string) string { return l.Cell(Painted(text, c)) }

// FileLink is the file: URL of an absolute path, or "".
func FileLink(path string) string {
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// HasLinks says whether the environment names a terminal that supports OSC 8 hyperlinks. Other
// terminals may print the URL in the middle of the text.
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
