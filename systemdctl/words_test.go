package systemdctl

import "testing"

// FuzzQuoteWord holds that CutWord reads back what QuoteWord wrote, and no more.
func FuzzQuoteWord(f *testing.F) {
	for _, word := range []string{"", "a", "a b", `it's`, `"`, `\`, `\x41`, "tab\t", "line\n", ";", "#", "~", "ü", "$$ %%", "-L[::1]:1"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		got, rest, ok, err := CutWord(QuoteWord(word) + " next")
		if got != word || rest != " next" || !ok || err != nil {
			t.Errorf("%q is written %s and read %q, %q, %v, %v", word, QuoteWord(word), got, rest, ok, err)
		}
	})
}
