package recipes

import (
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	got := SVG("plain \x1b[1mbold\x1b[0m <&>\n\n  \x1b[31mred\x1b[39m\x1b[7m back \x1b[0m\n\n\n", 20)
	for _, want := range []string{
		`height="78"`, // three lines: those that are empty at the end are left out
		`<text x="12.0" y="25" textLength="42.0">plain</text>`,
		`<text x="62.4" y="25" textLength="33.6" font-weight="bold">bold</text>`,
		`>&lt;&amp;&gt;</text>`,
		`<text x="28.8" y="61" textLength="25.2" fill="#f38ba8">red</text>`,
		`<rect x="54.0" y="48" width="50.4" height="18" fill="#cdd6f4"/>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s:\n%s", want, got)
		}
	}
}
