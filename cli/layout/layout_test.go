package layout

import (
	"strings"
	"testing"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "web": 3, "wéb": 3, "we\u0301b": 3, "隧道": 4, "🇩🇪": 2, "👩‍💻": 2, "a\nbcd": 3, "→": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestShortened(t *testing.T) {
	for _, c := range []struct {
		got, want string
	}{
		{Middle("me@bastion.example.internal", 11), "me@ba…ernal"},
		{Middle("web", 3), "web"},
		{Middle("隧道隧道", 5), "隧…道"},
		{Cut("connecting", 6), "conne…"},
		{Cut("connecting", 0), "connecting"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestCutLine(t *testing.T) {
	line := Line{Plain("db"), Plain("  "), Painted("blocked", Red)}
	for width, want := range map[int]string{0: "db  blocked", 11: "db  blocked", 6: "db  b…", 4: "db  ", 1: "…"} {
		if got := (Look{}).Render(line.Cut(width)); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"the server refused every way", 12, "the server|refused|every way"},
		{"short", 12, "short"},
		{"  indented text goes on", 12, "  indented|  text goes|  on"},
		{"averyveryverylongword x", 8, "averyver|yverylon|gword x"},
		{"one\ntwo", 12, "one|two"},
		{"aes128-gcm,aes256-gcm,x", 16, "aes128-gcm,|aes256-gcm,x"},
		{"a,verylongwordofletters", 16, "a,verylongwordof|letters"},
		{"one two", 0, "one two"},
		{"", 5, ""},
		{"隧道隧道", 3, "隧|道|隧|道"},
	} {
		if got := strings.Join(Wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
	if got := strings.Join(Hang("hint: ", "the key is not known", 16), "|"); got != "hint: the key is|      not known" {
		t.Error(got)
	}
}

// sample has one column of each kind.
func sample() *Table {
	t := &Table{Columns: []Column{
		{Name: "NAME", Shorten: true}, {Name: "STATE"}, {Name: "SINCE", GiveWay: 1}, {Name: "TO", Shorten: true, GiveWay: 2}, {Name: "WHY", Wrap: true, Min: 24, GiveWay: 3, Below: true},
	}}
	t.Add(Plain("database"), Painted("blocked", Red), Plain("5 min"), Plain("me@bastion.example"), Plain("the server refused every way to authenticate"))
	t.Add(Plain("wéb"), Painted("up", Green), Plain("3 days"), Plain("me@host"), Plain(""))
	return t
}

func TestTable(t *testing.T) {
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, `
NAME      STATE    SINCE   TO                  WHY
database  blocked  5 min   me@bastion.example  the server refused every way to authenticate
wéb       up       3 days  me@host
`},
		{80, `
NAME      STATE    SINCE   TO                  WHY
database  blocked  5 min   me@bastion.example  the server refused every way to
                                               authenticate
wéb       up       3 days  me@host
`},
		{60, `
NAME      STATE    SINCE   TO
database  blocked  5 min   me@bastion.example
  the server refused every way to authenticate
wéb       up       3 days  me@host
`},
		{30, `
NAME      STATE    SINCE
database  blocked  5 min
  the server refused every way
  to authenticate
wéb       up       3 days
`},
		{14, `
NAME   STATE
da…se  blocked
  the server
  refused
  every way to
  authenticate
wéb    up
`},
	} {
		if got := render(sample().Lines(c.width)); got != c.want[1:] {
			t.Errorf("width %d:\n%s\nwant\n%s", c.width, got, c.want)
		}
	}
}

// TestTableFits: whatever the width, no line is wider, and no reason is lost.
func TestTableFits(t *testing.T) {
	for width := 14; width < 120; width++ {
		text := render(sample().Lines(width))
		for line := range strings.Lines(text) {
			if Width(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("width %d: %q", width, line)
			}
		}
		if whole := strings.Join(strings.Fields(text), ""); !strings.Contains(whole, "refusedeveryway") && width > 40 {
			t.Errorf("width %d: the reason is lost:\n%s", width, text)
		}
	}
}

func TestPage(t *testing.T) {
	p := Page()
	p.Row("State", Painted("blocked: the server refused every way to authenticate", Red))
	p.Row("To", Plain("me@host"))
	const want = `State:  blocked: the server refused
        every way to authenticate
   To:  me@host
`
	if got := render(p.Lines(40)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLook(t *testing.T) {
	line := Line{Painted("up", Green), Plain(" "), {Text: "web.tunnel", Link: FileLink("/home/me/a b.tunnel")}}
	if got := (Look{}).Render(line); got != "up web.tunnel" {
		t.Errorf("%q", got)
	}
	want := "\x1b[32mup\x1b[0m \x1b]8;;file:///home/me/a%20b.tunnel\x1b\\web.tunnel\x1b]8;;\x1b\\"
	if got := (Look{Color: true, Links: true}).Render(line); got != want {
		t.Errorf("%q", got)
	}
}

func render(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(Look{}.Render(l) + "\n")
	}
	return b.String()
}
