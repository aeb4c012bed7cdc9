package tunnelfile

import (
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	for text, want := range map[string]struct {
		span    time.Duration
		written string
	}{
		"10s":               {10 * time.Second, "10s"},
		"10":                {10 * time.Second, "10s"},
		"0":                 {0, "0"},
		"90":                {90 * time.Second, "1min 30s"},
		"1min 30s":          {90 * time.Second, "1min 30s"},
		"1min30s":           {90 * time.Second, "1min 30s"},
		" 2 h ":             {2 * time.Hour, "2h"},
		"500ms":             {500 * time.Millisecond, "500ms"},
		"0.5s":              {500 * time.Millisecond, "500ms"},
		"1.5h":              {90 * time.Minute, "1h 30min"},
		".5":                {500 * time.Millisecond, "500ms"},
		"1us":               {time.Microsecond, "1us"},
		"3 µs":              {3 * time.Microsecond, "3us"},
		"1d 2hours":         {26 * time.Hour, "1d 2h"},
		"1week":             {week, "1w"},
		"1M":                {month, "4w 2d 10h 30min"},
		"1y":                {year, "52w 1d 6h"},
		"1 second 1 minute": {61 * time.Second, "1min 1s"},
		"infinity":          {Infinity, "infinity"},
	} {
		span, err := ParseSpan(text)
		if err != nil || span != want.span {
			t.Errorf("ParseSpan(%q) = %v, %v", text, span, err)
		}
		if got := FormatSpan(span); got != want.written {
			t.Errorf("FormatSpan(%v) = %q, want %q", span, got, want.written)
		}
	}
	for _, text := range []string{"", " ", "s", "-1s", "+1", "1x", "1 s s", "1..5s", ".", "1.2.3", "1e3", "10S", "Infinity", "infinity 1s", "300y", "99999999999999999999", "1,5s", "١s"} {
		if span, err := ParseSpan(text); err == nil {
			t.Errorf("ParseSpan(%q) = %v", text, span)
		}
	}
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"10s", "1min 30s", "infinity", "0.000001", "292y", "1.5h 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		span, err := ParseSpan(text)
		if err != nil {
			return
		}
		if span < 0 {
			t.Fatalf("%q is %v", text, span)
		}
		if again, err := ParseSpan(FormatSpan(span)); err != nil || again != span {
			t.Errorf("%q is %v, written %q, read %v, %v", text, span, FormatSpan(span), again, err)
		}
	})
}
