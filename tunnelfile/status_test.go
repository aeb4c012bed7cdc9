package tunnelfile

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast/holdfast/internal/fault"
)

func TestStateOf(t *testing.T) {
	for _, test := range []struct {
		active, sub, text string
		want              State
	}{
		{"active", "running", "up: 3 forwards, rtt 12 ms", Up},
		{"active", "running", "retrying: in 8s, dial tcp 198.51.100.2:22: connection refused", Retrying},
		{"active", "running", "blocked: needs a passphrase for ~/.ssh/id_ed25519", Blocked},
		{"active", "running", "offline: no network", Offline},
		{"active", "running", "degraded", Degraded},
		{"active", "running", "", Up},
		{"active", "running", "something of another's", Up},
		{"reloading", "reload", "up: 1 forward", Up},
		{"reloading", "reload", "", Up},
		{"activating", "start", "", Connecting},
		{"activating", "start", "retrying: in 2s", Retrying},
		{"activating", "start", "blocked: host key unknown", Blocked},
		{"activating", "auto-restart", "up: 3 forwards", Retrying},
		{"activating", "auto-restart-queued", "", Retrying},
		{"deactivating", "stop-sigterm", "up: 3 forwards", Stopping},
		{"failed", "failed", "", Failed},
		{"failed", "failed", "up: 3 forwards", Failed},
		{"failed", "failed", "blocked: the host key has changed", Blocked},
		{"failed", "failed", ExitText(ExitDistrusted), Blocked},
		{"failed", "failed", ExitText(ExitDenied), Blocked},
		{"failed", "failed", ExitText(ExitMistaken), Blocked},
		{"failed", "failed", ExitText(1), Failed},
		{"inactive", "dead", "", Inactive},
		{"inactive", "dead", "blocked: of yesterday", Inactive},
		{"active", "listening", "", Listening}, // the socket unit
		{"", "", "", Inactive},
	} {
		if got := StateOf(test.active, test.sub, test.text); got != test.want {
			t.Errorf("StateOf(%q, %q, %q) = %s, want %s", test.active, test.sub, test.text, got, test.want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	for text, want := range map[string]Status{
		"up: 3 forwards, rtt 12 ms": {Up, "", "3 forwards, rtt 12 ms"},
		"up":                        {Up, "", ""},
		"retrying: in 8s: refused":  {Retrying, "", "in 8s: refused"},
		"retrying [unreachable]: in 8 s; refused": {Retrying, fault.Unreachable, "in 8 s; refused"},
		"blocked [host-key-changed]":              {Blocked, fault.HostKeyChanged, ""},
		"blocked [a-later-word]: x":               {Blocked, "a-later-word", "x"},
		"blocked [":                               {"", "", "blocked ["},
		"blocked []: x":                           {"", "", "blocked []: x"},
		"blocked [A B]: x":                        {"", "", "blocked [A B]: x"},
		"upwards: no":                             {"", "", "upwards: no"},
		"Up: no":                                  {"", "", "Up: no"},
		"":                                        {"", "", ""},
		"up: \x1b[2J\u202ered\nalert":             {Up, "", "[2Jred alert"},
		"\x1b]0;title\a":                          {"", "", "]0;title"},
		"blocked [" + strings.Repeat("a", 99) + "]": {"", "", "blocked [" + strings.Repeat("a", 99) + "]"},
		"up: " + strings.Repeat("x", 4000):          {Up, "", strings.Repeat("x", 299) + "…"},
	} {
		if got := ParseStatus(text); got != want {
			t.Errorf("ParseStatus(%q) = %+v", text, got)
		}
	}
	for _, state := range States() {
		for _, reason := range append(fault.Reasons(), fault.None) {
			for _, text := range []string{"", "x", "a: b", "[c]: d"} {
				s := Status{state, reason, text}
				if got := ParseStatus(s.String()); got != s {
					t.Errorf("%+v comes back as %+v", s, got)
				}
			}
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("retrying [unreachable]: in 8 s; refused")
	f.Fuzz(func(t *testing.T, text string) {
		s := ParseStatus(text)
		if utf8.RuneCountInString(s.Text) > 300 || strings.ContainsFunc(s.Text, unicode.IsControl) {
			t.Errorf("%q is %+v", text, s)
		}
		if s.State != "" && ParseStatus(s.String()) != s {
			t.Errorf("%q is %+v, which comes back as %+v", text, s, ParseStatus(s.String()))
		}
	})
}

func TestRuntimeDir(t *testing.T) {
	env := func(value string) func(string) string {
		return func(key string) string {
			if key == "XDG_RUNTIME_DIR" {
				return value
			}
			return ""
		}
	}
	for value, want := range map[string]string{"/run/user/1000": "/run/user/1000/holdfast", "": "/run/holdfast", "relative": "/run/holdfast"} {
		if got := RuntimeDir(env(value)); got != want {
			t.Errorf("RuntimeDir of %q is %q", value, got)
		}
	}
}

func TestReportSocket(t *testing.T) {
	const dir = "/run/user/1000/holdfast"
	longest := strings.Repeat("n", maxNameLen)
	if got := ReportSocket(dir, longest); got != dir+"/"+longest+".sock" {
		t.Errorf("the longest name in the ordinary folder: %s", got)
	}
	deep := "/tmp/" + strings.Repeat("d", 50)
	one, other := ReportSocket(deep, longest), ReportSocket(deep, longest[1:]+"m")
	if len(one) > maxSocketPath || one == other {
		t.Errorf("in a deep folder: %s and %s", one, other)
	}
	if name := strings.TrimSuffix(strings.TrimPrefix(one, deep+"/"), ".sock"); ValidName(name) {
		t.Errorf("%q could be another tunnel's", name)
	}
}

func TestSettingsHash(t *testing.T) {
	const text = "[Tunnel]\nDestination=me@host\nLocalForward=1:a:1\n[SSH]\nPort=2222\n"
	hash := func(text string) string {
		t.Helper()
		tunnel, problems := Parse("x", "", text)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return SettingsHash(tunnel)
	}
	same := hash(text)
	for _, other := range []string{
		"# a comment\n" + text,
		text + "[Unit]\nAfter=x.service\n[Service]\nMemoryMax=1G\n",
		strings.Replace(text, "[SSH]", "Description=words\nTags=a b\nOnlyOn=Home\nNeverOn=Hotel\nMetered=no\n[SSH]", 1),
		strings.Replace(text, "Port=2222", "port = 2222", 1),
	} {
		if hash(other) != same {
			t.Errorf("another hash for what is the same to a worker:\n%s", other)
		}
	}
	for _, other := range []string{
		strings.Replace(text, "me@", "you@", 1),
		strings.Replace(text, "1:a:1", "1:a:2", 1),
		strings.Replace(text, "Local", "Remote", 1),
		strings.Replace(text, "2222", "2223", 1),
		strings.Replace(text, "[SSH]", "HoldTimeout=1s\n[SSH]", 1),
		strings.Replace(text, "[SSH]", "Start=on-demand\n[SSH]", 1),
		strings.Replace(text, "[SSH]", "ExecUp=true\n[SSH]", 1),
	} {
		if hash(other) == same {
			t.Errorf("the same hash for what is not the same to a worker:\n%s", other)
		}
	}
}
