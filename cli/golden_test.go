package cli_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// goldenWidths are the terminals that every verb is looked at on.
var goldenWidths = []int{40, 80, 120, 200}

// goldenVerbs are command lines, by the name of their file in testdata/golden.
var goldenVerbs = []struct{ file, command string }{
	{"help", "help"},
	{"help-up", "help up"}, {"help-list", "help list"}, {"help-add", "help add"}, {"help-show", "help show"}, {"help-import", "help import"},
	{"list", "list"}, {"list-wide", "list -o wide"}, {"list-name", "list -o name @work"},
	{"status", "status"}, {"status-web", "status web"}, {"status-db", "status db"}, {"status-long", "status a-rather*"}, {"status-broken", "status broken"},
	{"up-denied", "up db"}, {"up-rule", "up cafe"}, {"up-taken", "up pg"}, {"up-unreachable", "up --timeout=1s a-rather*"},
	{"down", "down web"}, {"restart", "restart mail"}, {"reconnect", "reconnect mail"},
	{"no-such", "up wbe"}, {"no-verb", "lsit"}, {"no-flag", "list --sotr=name"}, {"no-value", "list --sort=size"},
	{"add", "add new -D 1081 me@host"}, {"add-exists", "add web -D 1081 me@host"}, {"add-nothing", "add empty me@host"},
	{"set", "set mail RetryMax=9s"}, {"set-typo", "set mail Strat=auto"}, {"enable", "enable mail"}, {"disable", "disable mail"},
	{"edit", "edit mail"}, {"show", "show file"}, {"show-changes", "show --changes file new.tunnel"}, {"export", "export file"},
	{"import", "import --dry-run old.sh"}, {"rename", "rename mail letters"}, {"clone", "clone file file2"}, {"remove", "remove post"},
	{"version", "version"}, {"completion", "completion"}, {"metrics", "metrics web"}, {"trust", "trust --json file"}, {"logs", "logs wbe"}, {"top", "top -d 0"},
	{"logs-web", "logs web"}, {"logs-two", "logs -n 4 web db"}, {"history", "history"}, {"history-web", "history web"}, {"explain", "explain file"}, {"top-table", "top -n 1 -d 0.1"},
}

// TestGolden holds what each verb prints on terminals of several widths, without colour.
func TestGolden(t *testing.T) {
	address := apitest.Bus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	backend := apitest.NewBackend()
	apitest.Serve(t, backend)
	home := t.TempDir()
	for name, value := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": "", "TERM": "xterm", "NO_COLOR": "1", "TZ": "UTC", "EDITOR": "true", "GORACE": "atexit_sleep_ms=0"} {
		t.Setenv(name, value)
	}
	t.Setenv("JOURNAL", pastWeek(t))
	write(t, home, ".config/holdfast/file.tunnel", "# mine\n[Tunnel]\nDestination=me@server.invalid\nLocalForward=5433:db.internal:5432\nTags=work\n")
	write(t, home, ".config/holdfast/file.tunnel.d/10-more.conf", "[Tunnel]\nRetryMax=9s\n")
	write(t, home, "new.tunnel", "[Tunnel]\nDestination=you@server.invalid\nLocalForward=5433:db.internal:5433\n[Service]\nMemoryMax=32M\n")
	write(t, home, "old.sh", "autossh -M 0 -N -o ServerAliveInterval=10 -L 9091:localhost:9091 me@server.invalid\n")
	for _, v := range goldenVerbs {
		t.Run(v.file, func(t *testing.T) {
			var got strings.Builder
			for _, width := range goldenWidths {
				putTunnels(t, backend)
				fmt.Fprintf(&got, "$ holdfast %s   (%d columns)\n%s\n", v.command, width, onTerminal(t, home, width, strings.Fields(v.command)...))
			}
			file := filepath.Join("testdata/golden", v.file+".txt")
			if flag.Lookup("update").Value.String() == "true" {
				write(t, ".", file, got.String())
			}
			want, err := os.ReadFile(file)
			if err != nil || got.String() != string(want) {
				t.Errorf("%s differs (%v); go test ./cli -run Golden -update writes it anew. Now:\n%s", file, err, got.String())
			}
		})
	}
}

func write(t testing.TB, dir, file, text string) {
	t.Helper()
	path := filepath.Join(dir, file)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// putTunnels makes the backend's tunnels what they were. Times are far from where their text
// changes, and what is retrying says what it says after up, so that it matters not how fast this is.
func putTunnels(t *testing.T, b *apitest.Backend) {
	old, err := b.Tunnels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range old {
		if err := b.RemoveTunnel(t.Context(), o.Name); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range []struct {
		name, text string
		state      tunnelfile.State
		reason     fault.Reason
		status     string
		since      time.Duration
	}{
		{"a-rather-long-name-for-a-tunnel", "Destination=me@refused\nLocalForward=127.0.0.1:8443 intranet.eu-central.example.internal:443\nTags=work", tunnelfile.Retrying, fault.Unreachable,
			"in 8s, cannot connect to 198.51.100.2 port 22: connection refused", 10 * time.Minute},
		{"broken", "Destination=me@broken\nDynamicForward=1083\nStart=manual", tunnelfile.Failed, fault.Crashed, "holdfast-tunnel ended with status 1, five times in a minute", time.Hour},
		{"cafe", "Destination=me@ruled\nLocalForward=2525:localhost:25\nNeverOn=cafe*", tunnelfile.Offline, fault.Rule, "NeverOn=cafe*: not on cafe-guest", 3 * time.Minute},
		{"db", "Destination=me@denied\nLocalForward=5432:db.internal:5432\nTags=work", tunnelfile.Blocked, fault.Denied, "the server refused every way to authenticate (publickey)", 2 * time.Hour},
		{"file", "Destination=me@server.invalid\nLocalForward=5433:db.internal:5432\nTags=work", tunnelfile.Connecting, fault.None, "198.51.100.2:22", 40 * time.Minute},
		{"mail", "Destination=me@mail.example\nLocalForward=1143:localhost:143\nLocalForward=1025:localhost:25\nDynamicForward=1082\nTags=home", tunnelfile.Up, fault.None, "3 forwards, rtt 31 ms", 25 * time.Hour},
		{"pg", "Destination=me@taken\nLocalForward=5432:db.internal:5432", tunnelfile.Failed, fault.Listen, "LocalForward 5432: address already in use (held by postgres, pid 812)", 26 * time.Hour},
		{"post", "Destination=me@mail.example\nDynamicForward=1084\nStart=manual", tunnelfile.Inactive, fault.None, "", 50 * time.Hour},
		{"proxy", "Destination=me@server\nDynamicForward=1080\nStart=on-demand", tunnelfile.Listening, fault.None, "", 5 * 24 * time.Hour},
		{"web", "Destination=me@server\nLocalForward=9090:localhost:9090\nRemoteForward=8080:localhost:80", tunnelfile.Up, fault.None, "2 forwards, rtt 12 ms", 3 * 24 * time.Hour},
	} {
		if err := b.AddTunnel(t.Context(), one.name, "[Tunnel]\n"+one.text+"\n"); err != nil {
			t.Fatal(err)
		}
		row, err := b.Tunnel(t.Context(), one.name)
		if err != nil {
			t.Fatal(err)
		}
		row.State, row.Reason, row.Status, row.StateSince, row.UpSince = one.state, one.reason, one.status, time.Now().Add(-one.since-time.Second), time.Time{}
		for i := range row.Forwards {
			row.Forwards[i].State = one.state
		}
		if one.state == tunnelfile.Up {
			row.UpSince = row.StateSince
		}
		b.Put(row)
	}
}

// times are what differs from run to run, of one width.
var times = regexp.MustCompile(`(\d{4}-\d\d-\d\d|[A-Z][a-z]{2} \d\d) \d\d:\d\d:\d\d`)

// onTerminal is what a command prints on a terminal so wide, when it has ended; what it wrote
// over is left out.
func onTerminal(t *testing.T, dir string, width int, args ...string) string {
	t.Helper()
	cmd := exec.Command("holdfast", args...)
	cmd.Dir = dir
	shown, err := testbed.NewTerminal(t, width, 50).Output(t, cmd)
	status := ""
	if err != nil {
		status = err.Error() + "\n"
	}
	shown = strings.ReplaceAll(shown, "\r\n", "\n")
	if i := strings.LastIndex(shown, "\x1b[J"); i >= 0 {
		shown = shown[i+len("\x1b[J"):]
	}
	shown = strings.ReplaceAll(shown, dir, "/home/me")
	return times.ReplaceAllStringFunc(shown, func(at string) string {
		if strings.Contains(at, "-") {
			return "2026-01-02 03:04:05"
		}
		return "Jan 02 03:04:05"
	}) + status
}
