package words

import (
	"slices"
	"strings"
	"testing"
)

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

func TestUnescape(t *testing.T) {
	for _, c := range []struct {
		text    string
		meaning string
		length  int
	}{
		{`\a`, "\a", 2}, {`\n.`, "\n", 2}, {`\s`, " ", 2}, {`\\x`, `\`, 2}, {`\"`, `"`, 2}, {`\'`, "'", 2},
		{`\x41B`, "A", 4}, {`\xff`, "\xff", 4}, {`\101`, "A", 4}, {`\000`, "\x00", 4}, {`\u00e4`, "ä", 6}, {`\U0001f600.`, "😀", 10},
		{`\`, "", 0}, {`\q`, "", 0}, {`\x4`, "", 0}, {`\xZZ`, "", 0}, {`\08`, "", 0}, {`\777`, "", 0}, {`\ud800`, "", 0}, {`\é`, "", 0},
	} {
		meaning, length, err := Unescape(c.text, CEscapes)
		if meaning != c.meaning || length != c.length || (err == nil) != (c.length > 0) {
			t.Errorf("%s: got %q, %d, %v, want %q, %d", c.text, meaning, length, err, c.meaning, c.length)
		}
	}
	if meaning, length, err := Unescape(`\é.`, DropEscapes); meaning != "é" || length != 3 || err != nil {
		t.Errorf("got %q, %d, %v", meaning, length, err)
	}
	if _, _, _, err := Cut(`a\x00b`, CEscapes); err == nil {
		t.Error("a word with a NUL was read")
	}
}

func TestPlain(t *testing.T) {
	for value, want := range map[string][]string{
		"": {}, "a  b": {"a", "b"}, `"a b" '%%' %%%%c`: {"a b", "%", "%%c"}, "a%": nil, "%%%h": nil, `"a`: nil,
	} {
		got, err := Plain(value, CEscapes)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: got %q, %v, want %q", value, got, err, want)
		}
	}
	if _, err := Literal("x%%%hy"); err == nil || !strings.Contains(err.Error(), `"%h"`) {
		t.Errorf("got %v", err)
	}
}
