package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 119 * time.Minute: "1 h", 47 * time.Hour: "47 h", 49 * time.Hour: "2 days",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "", 300 * time.Microsecond: "0.3 ms", 12400 * time.Microsecond: "12 ms", 2 * time.Second: "2000 ms"} {
		if got := roundTrip(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB", 1 << 20: "1.0 MiB", 1023 << 10: "1.0 MiB", 104857600: "100 MiB", 1<<64 - 1: "16 EiB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"web", "web", 0}, {"wbe", "web", 1}, {"we", "web", 1}, {"wweb", "web", 1}, {"wab", "web", 1}, {"wbe", "db", 2}, {"", "abc", 3},
	} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestQuestions: OpenSSH's own sentences, and ours.
func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		prompt, askpassPrompt string
		want                  question
	}{
		{"Enter passphrase for key '/home/me/.ssh/id_ed25519': ", "", question{kind: "passphrase"}},
		{"me@host's password: ", "", question{kind: "password"}},
		{"(me@host) Password: ", "", question{kind: "password"}},
		{"(me@host) Verification code: ", "", question{kind: "code"}},
		{"Enter PIN for ED25519-SK key /home/me/.ssh/id_ed25519_sk: ", "", question{kind: "pin"}},
		{"Confirm user presence for key ED25519-SK SHA256:x", "none", question{kind: "touch", tell: true}},
		{"Allow use of key me@laptop?\nKey fingerprint SHA256:x.", "confirm", question{kind: "other", confirm: true}},
		{"The authenticity of host 'h (::1)' can't be established.\nED25519 key fingerprint is SHA256:x.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? ", "", question{kind: "hostkey", confirm: true, word: true}},
		{"The authenticity of host 'h' can't be established.\nssh-ed25519 SHA256:x\nAre you sure you want to continue connecting (yes/no)? ", "", question{kind: "hostkey", confirm: true, word: true}},
		{"(me@host) Your pet's name? ", "", question{kind: "other"}},
	} {
		if got := questionOf(c.prompt, c.askpassPrompt); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.prompt, got, c.want)
		}
	}
}

// TestHintAsks: who needs an answer is asked for it by up.
func TestHintAsks(t *testing.T) {
	for _, status := range []string{"needs a password for me@host", `needs an answer for me@host: "Code:"`, "needs the PIN of /usr/lib/p11.so"} {
		if got := hintFor(dbusapi.Tunnel{Name: "web", State: tunnelfile.Blocked, Status: status}); !strings.HasPrefix(got, "holdfast up web in a terminal asks") {
			t.Errorf("%s: %s", status, got)
		}
	}
}

func TestChange(t *testing.T) {
	const text = "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\n"
	for _, c := range []struct {
		changes []string
		want    string
	}{
		{[]string{"Destination=c"}, "[Tunnel]\n# where\nDestination=c\nLocalForward=1:b:1\n"},
		{[]string{"LocalForward=2:b:2", "LocalForward=3:b:3"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=2:b:2\nLocalForward=3:b:3\n"},
		{[]string{"LocalForward="}, "[Tunnel]\n# where\nDestination=a\n"},
		{[]string{"SSH.Port=22", "Tunnel.Start=manual"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\nStart=manual\n\n[SSH]\nPort=22\n"},
		{[]string{"ExecUp=logger a=b"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\nExecUp=logger a=b\n"},
	} {
		if got, err := change(text, c.changes); err != nil || got != c.want {
			t.Errorf("%q: %v\n got %q\nwant %q", c.changes, err, got, c.want)
		}
	}
	if _, err := change(text, []string{"Start"}); err == nil {
		t.Error("a word without = was taken")
	}
}

func TestJournalctl(t *testing.T) {
	for _, c := range []struct {
		got  []string
		want string
	}{
		{journalctl("web", false, false, 0, false), "journalctl --user -u holdfast-tunnel@web.service"},
		{journalctl("web", true, true, 20, true), "journalctl -u holdfast-tunnel@web.service -f -n 20 -o json"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestTableFits: whatever the width, no line is longer; without one, nothing is cut.
func TestTableFits(t *testing.T) {
	rows := table{{{text: "NAME"}, {text: "STATE"}, {text: "STATUS"}}, {{text: "wéb"}, {text: "up"}, {text: strings.Repeat("ü", 50)}}}
	for width := range 80 {
		for _, line := range rows.lines(width) {
			length := 0
			for _, c := range line {
				length += utf8.RuneCountInString(c.text)
			}
			if width >= 15 && length > width || width == 0 && length < 17 {
				t.Errorf("width %d: a line has %d", width, length)
			}
		}
	}
}

func TestPlain(t *testing.T) {
	if got := plain("a\x1b[31mb\nc\u009b\td\x7f"); got != "a[31mb c d" {
		t.Errorf("got %q", got)
	}
}

func TestSSHCommand(t *testing.T) {
	tunnel := dbusapi.Tunnel{Destination: "me@host", Text: "[Tunnel]\nDestination=me@host\n[SSH]\nPort=22\nProxyCommand=nc -X 5 %h 'x'\n"}
	if got, want := sshCommand(tunnel), `ssh -o Port=22 -o 'ProxyCommand=nc -X 5 %h '\''x'\''' me@host`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestWaybar: the class is that of the tunnel that needs a person most.
func TestWaybar(t *testing.T) {
	in := func(states ...tunnelfile.State) dbusapi.Snapshot {
		s := dbusapi.Snapshot{Running: true}
		for _, state := range states {
			s.Tunnels = append(s.Tunnels, dbusapi.Tunnel{Name: "<a>", State: state})
		}
		return s
	}
	for _, c := range []struct {
		s           dbusapi.Snapshot
		text, class string
	}{
		{dbusapi.Snapshot{}, "–", "absent"},
		{in(), "0/0", "none"},
		{in(tunnelfile.Inactive), "0/0", "none"},
		{in(tunnelfile.Up, tunnelfile.Inactive), "1/1", "up"},
		{in(tunnelfile.Up, tunnelfile.Retrying, tunnelfile.Offline), "1/3", "offline"},
		{in(tunnelfile.Up, tunnelfile.Retrying), "1/2", "working"},
		{dbusapi.Snapshot{Running: true, Tunnels: []dbusapi.Tunnel{{State: tunnelfile.Up}, {State: tunnelfile.Offline, Status: "OnlyOn=Office: on 'Home' now"}}}, "1/1", "up"},
		{in(tunnelfile.Offline), "0/1", "offline"},
		{in(tunnelfile.Up, tunnelfile.Blocked, tunnelfile.Retrying), "1/3", "attention"},
	} {
		w := waybarOf(c.s)
		if w.Text != c.text || w.Class != c.class || strings.Contains(w.Tooltip, "<") {
			t.Errorf("%+v: %+v, want %s %s", c.s.Tunnels, w, c.text, c.class)
		}
	}
}

func TestParse(t *testing.T) {
	s := &session{}
	flags := s.flags()
	n := flags.Int("n", 0, "")
	rest, err := parse(flags, []string{"web", "-n", "5", "--json", "--", "-odd"})
	if err != nil || !slices.Equal(rest, []string{"web", "-odd"}) || *n != 5 || !s.json {
		t.Errorf("%v: %q, n=%d, json=%v", err, rest, *n, s.json)
	}
}
