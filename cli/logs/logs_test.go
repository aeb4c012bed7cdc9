package logs

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/testbed"
)

// TestRead: of a real journal, the entries of these tunnels and no others, in words.
func TestRead(t *testing.T) {
	var j testbed.Journal
	booted := time.Now().Add(-time.Hour)
	uid := strconv.Itoa(os.Getuid())
	at := booted
	add := func(fields ...string) {
		at = at.Add(time.Second)
		j.Add(at, booted, strings.Repeat("1", 32), append([]string{"_UID", uid}, fields...)...)
	}
	worker := func(name string, fields ...string) {
		add(append([]string{"_SYSTEMD_USER_UNIT", "holdfast-tunnel@" + name + ".service"}, fields...)...)
	}
	add("_SYSTEMD_USER_UNIT", "init.scope", "USER_UNIT", "holdfast-tunnel@web.service", "MESSAGE", "Started holdfast-tunnel@web.service - me@host.")
	worker("web", "MESSAGE", "up: 1 forward", "PRIORITY", "6", "HOLDFAST_EVENT", "state", "HOLDFAST_STATE", "up", "HOLDFAST_STATUS", "1 forward")
	worker("db", "MESSAGE", "a warning \x1b[31m", "PRIORITY", "4")
	worker("other", "MESSAGE", "not this")
	add("_SYSTEMD_USER_UNIT", "holdfastd.service", "HOLDFAST_TUNNEL", "web", "MESSAGE", "web: offline", "HOLDFAST_EVENT", "state", "HOLDFAST_STATE", "offline", "HOLDFAST_REASON", "rule", "HOLDFAST_STATUS", "NeverOn=cafe")
	add("_SYSTEMD_USER_UNIT", "holdfastd.service", "HOLDFAST_TUNNEL", "web", "MESSAGE", "again", "HOLDFAST_EVENT", "state", "HOLDFAST_STATE", "offline", "HOLDFAST_REASON", "rule", "HOLDFAST_STATUS", "NeverOn=cafe")
	add("_SYSTEMD_USER_UNIT", "stranger.service", "HOLDFAST_TUNNEL", "web", "MESSAGE", "forged")
	worker("web", "MESSAGE", "retrying [unreachable]: x", "PRIORITY", "4", "HOLDFAST_EVENT", "state", "HOLDFAST_STATE", "retrying", "HOLDFAST_REASON", "unreachable", "HOLDFAST_STATUS", "in 8s, connection refused")
	worker("web", "MESSAGE", "lost: closed by the server", "PRIORITY", "4", "HOLDFAST_EVENT", "lost", "HOLDFAST_REASON", "lost")
	q := Query{Names: []string{"web", "db"}, directory: j.Write(t)}
	read := func() (told []string) {
		t.Helper()
		err := Read(t.Context(), q, func(l Line) error {
			for _, line := range l.Tell(3, 0) {
				told = append(told, layout.Look{Color: true}.Render(line[2:]))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return told
	}
	want := []string{
		"  \x1b[1mweb\x1b[0m  \x1b[2msystemd: Started\x1b[0m",
		"  \x1b[1mweb\x1b[0m  \x1b[32mup: 1 forward\x1b[0m",
		"  \x1b[1mdb\x1b[0m   \x1b[33ma warning  [31m\x1b[0m",
		"  \x1b[1mweb\x1b[0m  \x1b[33moffline [rule]: NeverOn=cafe\x1b[0m",
		"  \x1b[1mweb\x1b[0m  \x1b[33mretrying [unreachable]: in 8s, connection refused\x1b[0m",
		"  \x1b[1mweb\x1b[0m  \x1b[33mlost: closed by the server\x1b[0m",
	}
	if got := read(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	q.Lines = 2
	if got := read(); len(got) != 2 || !strings.Contains(got[1], "closed by the server") {
		t.Errorf("the last two: %q", got)
	}
	q.Lines, q.Since, q.Names = 0, at.Add(-time.Second/2).Format("2006-01-02 15:04:05.000000"), []string{"web"}
	if got := read(); len(got) != 1 {
		t.Errorf("since %s: %q", q.Since, got)
	}
}
