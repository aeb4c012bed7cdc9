package tray

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// story drives Notices: one state a step, and what is told of it.
type step struct {
	after  time.Duration // since the step before
	state  tunnelfile.State
	reason fault.Reason
	want   string // titles, joined; "-" for a notice that is taken back
}

// nobody is at any tunnel's question.
func nobody(string) attention { return unaware }

// because is a tunnel with a reason.
func because(t listing.Tunnel, r fault.Reason) listing.Tunnel {
	t.Reason = r
	return t
}

// TestNoticesOfQuestions: what a person is just asked, or has just declined, is no news.
func TestNoticesOfQuestions(t *testing.T) {
	var n Notices
	now := noon
	for i, s := range []struct {
		state tunnelfile.State
		of    attention
		want  string
	}{
		{tunnelfile.Up, unaware, ""},
		{tunnelfile.Connecting, expected, "db needs you"},
		{tunnelfile.Connecting, aware, "-"},
		{tunnelfile.Connecting, aware, ""}, // it would be down for a minute by now
		{tunnelfile.Blocked, aware, ""},    // the dialog was closed
		{tunnelfile.Connecting, unaware, ""},
		{tunnelfile.Blocked, unaware, "db needs you"},
	} {
		now = now.Add(time.Minute)
		db := because(tunnel("db", s.state, "waiting for an answer"), fault.Passphrase)
		if s.state == tunnelfile.Up {
			db.Reason = fault.None
		}
		notices, _ := n.Update(snapshot(db), nil, func(string) attention { return s.of }, now)
		if got := titles(notices); got != s.want {
			t.Errorf("step %d: told %q, want %q", i, got, s.want)
		}
	}
}

func TestNotices(t *testing.T) {
	const up, retrying, offline, blocked = tunnelfile.Up, tunnelfile.Retrying, tunnelfile.Offline, tunnelfile.Blocked
	for name, steps := range map[string][]step{
		"a short drop is no news":  {{0, up, "", ""}, {time.Minute, retrying, fault.Lost, ""}, {29 * time.Second, up, "", ""}, {time.Hour, up, "", ""}},
		"down and back":            {{0, up, "", ""}, {time.Minute, retrying, fault.Lost, ""}, {30 * time.Second, retrying, fault.Lost, "db is down"}, {time.Minute, retrying, fault.Lost, ""}, {time.Minute, up, "", "db is up again"}},
		"needs you, then up":       {{0, up, "", ""}, {time.Second, blocked, fault.Passphrase, "db needs you"}, {time.Second, blocked, fault.Passphrase, ""}, {time.Second, up, "", "db is up"}},
		"another need":             {{0, blocked, fault.Passphrase, "db needs you"}, {time.Second, blocked, fault.HostKeyChanged, "db: the server's host key has changed"}},
		"stopped by the person":    {{0, blocked, fault.Passphrase, "db needs you"}, {time.Second, tunnelfile.Inactive, "", "-"}},
		"a suspend, then all well": {{0, up, "", ""}, {8 * time.Hour, offline, "", ""}, {2 * time.Second, tunnelfile.Connecting, "", ""}, {3 * time.Second, up, "", ""}},
		"no network is no news":    {{0, up, "", ""}, {time.Second, offline, fault.Network, ""}, {time.Hour, offline, fault.Network, ""}, {time.Second, up, "", ""}},
		"never came up":            {{0, tunnelfile.Connecting, "", ""}, {31 * time.Second, retrying, fault.Unreachable, "db is down"}},
		"failed":                   {{0, tunnelfile.Failed, fault.Crashed, "db has failed"}},
		"unstable": {{0, up, "", ""},
			{time.Minute, retrying, "", ""}, {time.Second, up, "", ""}, {time.Minute, retrying, "", ""}, {time.Second, up, "", ""},
			{time.Minute, retrying, "", ""}, {time.Second, up, "", ""}, {time.Minute, retrying, "", ""}, {time.Second, up, "", ""},
			{time.Minute, retrying, "", "db is unstable"}, {40 * time.Second, retrying, "", ""}, {time.Second, up, "", ""}, {time.Minute, retrying, "", ""}, {time.Second, up, "", ""},
			{20 * time.Minute, up, "", ""}, {time.Minute, retrying, "", ""}, {30 * time.Second, retrying, "", "db is down"}},
	} {
		t.Run(name, func(t *testing.T) {
			var n Notices
			now := noon
			for i, s := range steps {
				now = now.Add(s.after)
				notices, _ := n.Update(snapshot(because(tunnel("db", s.state, "a status"), s.reason)), nil, nobody, now)
				if got := titles(notices); got != s.want {
					t.Fatalf("step %d: told %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

func titles(notices []Notice) string {
	var list []string
	for _, n := range notices {
		if n.Title == "" {
			n.Title = "-"
		}
		list = append(list, n.Title)
	}
	return strings.Join(list, "; ")
}

func TestNoticesTimer(t *testing.T) {
	var n Notices
	if _, again := n.Update(snapshot(tunnel("db", tunnelfile.Up, "")), nil, nobody, noon); !again.IsZero() {
		t.Errorf("all well, and yet again at %v", again)
	}
	n.Update(snapshot(tunnel("db", tunnelfile.Retrying, "")), nil, nobody, noon)
	if _, again := n.Update(snapshot(tunnel("db", tunnelfile.Retrying, "")), nil, nobody, noon.Add(time.Second)); !again.Equal(noon.Add(downDelay)) {
		t.Errorf("again at %v, want 30 s after the drop", again)
	}
	if _, again := n.Update(snapshot(tunnel("db", tunnelfile.Retrying, "")), nil, nobody, noon.Add(downDelay)); !again.IsZero() {
		t.Errorf("told, and yet again at %v", again)
	}
}

// TestNoticesMany has a network's trouble: many tunnels go the same way, one after the other.
func TestNoticesMany(t *testing.T) {
	var n Notices
	now := noon
	states := make([]tunnelfile.State, 7)
	update := func() (string, time.Time) {
		var all []listing.Tunnel
		for i, state := range states {
			all = append(all, tunnel(fmt.Sprint("t", i), state, "a status"))
		}
		notices, again := n.Update(snapshot(all...), nil, nobody, now)
		return titles(notices), again
	}
	// every changes all tunnels, 50 ms apart, and returns what is told meanwhile and until all is quiet.
	every := func(state tunnelfile.State) string {
		var told []string
		var again time.Time
		for i := range states {
			now = now.Add(50 * time.Millisecond)
			states[i] = state
			var title string
			if title, again = update(); title != "" {
				told = append(told, title)
			}
		}
		for !again.IsZero() {
			now = again
			var title string
			if title, again = update(); title != "" {
				told = append(told, title)
			}
		}
		return strings.Join(told, "; ")
	}
	for i := range states {
		states[i] = tunnelfile.Up
	}
	update()
	for _, s := range []struct {
		state tunnelfile.State
		want  string
	}{
		{tunnelfile.Retrying, "7 tunnels are down"},
		{tunnelfile.Up, "7 tunnels are up again"},
		{tunnelfile.Connecting, "7 tunnels are down"},
		{tunnelfile.Inactive, "-"},
		{tunnelfile.Up, ""},
	} {
		if got := every(s.state); got != s.want {
			t.Errorf("all %s: told %q, want %q", s.state, got, s.want)
		}
	}
	for i := range states { // a login: none is known to need anybody yet
		states[i] = tunnelfile.Connecting
	}
	update()
	if got := every(tunnelfile.Blocked); got != "7 tunnels waiting for you" {
		t.Errorf("all blocked: told %q", got)
	}
	states = states[:6]
	if got, _ := update(); got != "" {
		t.Errorf("one is gone: told %q", got)
	}
	if got := every(tunnelfile.Up); got != "-" {
		t.Errorf("up: told %q, want the notice taken back", got)
	}
}

// TestNoticesUrgent has a changed host key among many that wait for a person.
func TestNoticesUrgent(t *testing.T) {
	var n Notices
	var all []listing.Tunnel
	for i := range 5 {
		all = append(all, because(tunnel(fmt.Sprint("t", i), tunnelfile.Blocked, "needs a passphrase"), fault.Passphrase))
	}
	all = append(all, because(tunnel("x", tunnelfile.Blocked, "the host key of x has changed"), fault.HostKeyChanged))
	notices, _ := n.Update(snapshot(all...), nil, nobody, noon)
	if got := titles(notices); got != "x: the server's host key has changed; 5 tunnels waiting for you" || notices[1].Body != "t0, t1, t2 and 2 more" {
		t.Errorf("told %q: %q", got, notices[1].Body)
	}
}

func TestNoticesMuted(t *testing.T) {
	var n Notices
	muted := map[string]bool{"db": true}
	if notices, _ := n.Update(snapshot(tunnel("db", tunnelfile.Blocked, "x")), muted, nobody, noon); len(notices) != 0 {
		t.Errorf("told %q of a muted tunnel", titles(notices))
	}
	notices, _ := n.Update(snapshot(because(tunnel("db", tunnelfile.Blocked, "the host key of x has changed"), fault.HostKeyChanged)), nil, nobody, noon)
	if len(notices) != 1 || !notices[0].Urgent {
		t.Errorf("a changed host key: %+v", notices)
	}
}

// noted is a Desktop that notes what is run in a terminal.
type noted struct {
	Desktop
	argv []string
}

func (a *noted) Terminal(argv ...string) error {
	a.argv = argv
	return nil
}

// TestNoticesGroupClick: a click on a notice about many shows all of them.
func TestNoticesGroupClick(t *testing.T) {
	notice := groupNotice(down, []string{"a", "b", "c", "d"})
	app, desktop := NewApp(), &noted{}
	app.Desktop, app.Command = desktop, "holdfast"
	app.clicked(t.Context(), notice.Actions[0].Key)
	if got := strings.Join(desktop.argv, " "); !strings.HasSuffix(got, " holdfast status") {
		t.Errorf("ran %q", got)
	}
}
