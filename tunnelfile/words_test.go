package tunnelfile

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/internal/text"
)

func TestSplitWords(t *testing.T) {
	for value, want := range map[string][]string{
		``:               nil,
		`  a   b	c `:     {"a", "b", "c"},
		`"a b" c`:        {"a b", "c"},
		`a" "b`:          {"a b"},
		`'a "b'`:         {`a "b`},
		`""`:             {""},
		`a\ b`:           {"a b"},
		`a\"b`:           {`a"b`},
		`a\\b`:           {`a\b`},
		`a\:b`:           {`a\:b`},
		`"a\ b"`:         {`a\ b`},
		`sh -c "a; 'b'"`: {"sh", "-c", "a; 'b'"},
		`a\`:             {`a\`},
	} {
		if got, err := Words(value); err != nil || !slices.Equal(got, want) {
			t.Errorf("Words(%q) = %q, %v", value, got, err)
		}
	}
	for _, value := range []string{`"`, `'a`, `a "b' c`} {
		if got, err := Words(value); err == nil {
			t.Errorf("Words(%q) = %q", value, got)
		}
	}
}

func TestSplitComment(t *testing.T) {
	for value, want := range map[string][2]string{
		"auto   ; the default":  {"auto", "; the default"},
		"auto ;the default":     {"auto", ";the default"},
		"auto # the default":    {"auto", "# the default"},
		"auto #":                {"auto", "#"},
		"home #1":               {"home #1", ""},
		"a;b":                   {"a;b", ""},
		"a#b":                   {"a#b", ""},
		`"a ; b" ; c`:           {`"a ; b"`, "; c"},
		`'a # b'`:               {`'a # b'`, ""},
		`a\ ;b`:                 {`a\ ;b`, ""},
		" ; nothing but a note": {"", "; nothing but a note"},
		"; x":                   {"; x", ""},
		`don't ; note`:          {`don't ; note`, ""}, // the quote is still open: somebody else complains
		"":                      {"", ""},
	} {
		if text, comment := splitComment(value); text != want[0] || comment != want[1] {
			t.Errorf("splitComment(%q) = %q, %q", value, text, comment)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"a b", `"a b"`, `\`, `'`, "a;b #", "\t"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		words := []string{a, b}
		joined := joinWords(words)
		if got, err := Words(joined); err != nil || !slices.Equal(got, words) {
			t.Errorf("%q, written %q, read %q, %v", words, joined, got, err)
		}
		if notText(joined) != "" {
			return // there is no such line in a file
		}
		if text, comment := splitComment(joined); comment != "" {
			t.Errorf("%q, written %q, has the comment %q behind %q", words, joined, comment, text)
		}
	})
}

func TestNearest(t *testing.T) {
	for written, want := range map[string]string{
		"LocalFoward": "LocalForward", "localforward": "LocalForward", "LocalForwrad": "LocalForward",
		"Strat": "Start", "Descripton": "Description", "Zzz": "", "": "", "Check1": "Check",
	} {
		if got := text.Nearest(written, Keys()); got != want {
			t.Errorf("text.Nearest(%q) = %q", written, got)
		}
	}
}
