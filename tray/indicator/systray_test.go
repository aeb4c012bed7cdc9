//go:build cgo

package indicator

import (
	"strings"
	"testing"
)

func TestLabel(t *testing.T) {
	for text, want := range map[string]string{
		"my_db – up":            "my__db – up",
		"two\nlines\x00":        "two lines ",
		"a\xffb":                "a?b",
		strings.Repeat("ä", 80): strings.Repeat("ä", 80),
		strings.Repeat("ä", 99): strings.Repeat("ä", 79) + "…",
	} {
		if got := label(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
