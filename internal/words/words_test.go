package words

import "testing"

// FuzzQuote holds that Cut reads back what Quote wrote, and no more.
func FuzzQuote(f *testing.F) {
	for _, word := range []string{"", "a", "a b", `it's`, `"`, `\`, `\x41`, "tab\t", "line\n", ";", "#", "~", "ü", "$$ %%", "-L[::1]:1"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		got, rest, ok, err := Cut(Quote(word)+" next", CEscapes)
		if got != word || rest != " next" || !ok || err != nil {
			t.Errorf("%q is written %s and read %q, %q, %v, %v", word, Quote(word), got, rest, ok, err)
		}
	})
}
