package tunnelfile

import (
	"strings"
	"testing"
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

func TestSplitStatus(t *testing.T) {
	for text, want := range map[string]struct {
		state State
		rest  string
	}{
		"up: 3 forwards, rtt 12 ms": {Up, "3 forwards, rtt 12 ms"},
		"up":                        {Up, ""},
		"retrying: in 8s: refused":  {Retrying, "in 8s: refused"},
		"upwards: no":               {"", "upwards: no"},
		"Up: no":                    {"", "Up: no"},
		"":                          {"", ""},
	} {
		if state, rest := SplitStatus(text); state != want.state || rest != want.rest {
			t.Errorf("SplitStatus(%q) = %q, %q", text, state, rest)
		}
	}
	for _, state := range states {
		for _, rest := range []string{"", "x", "a: b"} {
			if s, r := SplitStatus(StatusText(state, rest)); s != state || r != rest {
				t.Errorf("%q, %q come back as %q, %q", state, rest, s, r)
			}
		}
	}
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
		strings.Replace(text, "[SSH]", "Description=words\nOnlyOn=Home\nNeverOn=Hotel\nMetered=no\n[SSH]", 1),
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

func TestByRule(t *testing.T) {
	for status, want := range map[string]bool{
		"OnlyOn=Office: on 'Hotel' now": true, "NeverOn=Hotel*: on 'Hotel 3' now": true, "Metered=no: the network is metered": true,
		"no network": false, "captive portal on 'a=b'": false, "": false,
	} {
		if got := ByRule(Offline, status); got != want {
			t.Errorf("%s: %v", status, got)
		}
		if ByRule(Retrying, status) {
			t.Errorf("retrying: %s", status)
		}
	}
}
