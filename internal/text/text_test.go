package text

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 119 * time.Minute: "1 h", 47 * time.Hour: "47 h", 49 * time.Hour: "2 days",
	} {
		if got := Ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "", 300 * time.Microsecond: "0.3 ms", 12400 * time.Microsecond: "12 ms", 2 * time.Second: "2000 ms"} {
		if got := Milliseconds(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s", 2100 * time.Millisecond: "2.1 s", 125 * time.Second: "2 min 5 s", 76 * time.Hour: "3 days 4 h"} {
		if got := Span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{time.Second: "1 second", 89 * time.Minute: "89 minutes", 90 * time.Minute: "2 hours", 48 * time.Hour: "2 days"} {
		if got := Period(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB", 1 << 20: "1.0 MiB", 1023 << 10: "1.0 MiB", 104857600: "100 MiB", 1<<64 - 1: "16 EiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"web", "web", 0}, {"wbe", "web", 1}, {"we", "web", 1}, {"wweb", "web", 1}, {"wab", "web", 1}, {"wbe", "db", 2}, {"", "abc", 3},
		{"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3},
	} {
		if got := typingMistakes(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := DidYouMean("wbe", []string{"db", "web"}); got != " (did you mean web?)" {
		t.Error(got)
	}
	if got := Nearest("something else", []string{"db", "web"}); got != "" {
		t.Error(got)
	}
}

// TestFromPeer: nothing that a server says moves a cursor, turns a line round, begins another
// line, or is longer than people read.
func TestFromPeer(t *testing.T) {
	for in, want := range map[string]string{
		"plain words":                  "plain words",
		"a\r\nREADY=1\x1b[2J\x07":      "a READY=1 [2J",
		"user\u202eresu\u2066x\u200fy": "userresuxy",
		"line\u2028sep\u0085nel":       "line sep nel",
		"bad \xff utf-8":               "bad utf-8",
		"":                             "",
	} {
		if got := FromPeer(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("x", 200<<10), strings.Repeat("ü ", 5000), strings.Repeat("\x00", 1<<20) + "end"} {
		got := FromPeer(long)
		if n := utf8.RuneCountInString(got); n > MaxPeer || !utf8.ValidString(got) {
			t.Errorf("%d runes of %d bytes are kept", n, len(long))
		}
	}
}

func FuzzFromPeer(f *testing.F) {
	f.Add("abc\x1b[0m\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := FromPeer(s)
		if utf8.RuneCountInString(got) > MaxPeer || !utf8.ValidString(got) || FromPeer(got) != got || got != Printable(got) || got != OneLine(got) {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

func TestBoundBytes(t *testing.T) {
	for _, s := range []string{"short", strings.Repeat("ü", 3000), strings.Repeat("a", 3000)} {
		got := BoundBytes(s, 2048)
		if len(got) > 2048 || !utf8.ValidString(got) {
			t.Errorf("%d bytes of %d, valid: %v", len(got), len(s), utf8.ValidString(got))
		}
	}
	if got := BoundBytes("ab", 2); got != "ab" {
		t.Error(got)
	}
}
