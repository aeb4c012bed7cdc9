package tray

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// tunnel is one in a state, with a forward of each kind.
func tunnel(name string, state tunnelfile.State, status string) listing.Tunnel {
	return listing.Tunnel{
		Name: name, Description: name + "'s", Destination: "me@" + name, FilePath: "/h/" + name + ".tunnel", StartMode: tunnelfile.StartAuto,
		State: state, Status: status, StateSince: noon.Add(-time.Hour), UpSince: noon.Add(-time.Hour),
		Forwards: []tunnelfile.ForwardReport{
			{Kind: tunnelfile.LocalForward, Listen: "127.0.0.1:5432", Target: "db.internal:5432", State: state},
			{Kind: tunnelfile.LocalForward, Listen: "localhost:9000", Target: "web:80", State: state},
			{Kind: tunnelfile.RemoteForward, Listen: "9090", Target: "localhost:9090", State: tunnelfile.Retrying, Message: "the server still holds port 9090"},
			{Kind: tunnelfile.DynamicForward, Listen: "localhost:1080", Target: "SOCKS", State: state},
		},
	}
}

// forbidden is a tunnel that its own rule keeps down.
func forbidden(name, status string) listing.Tunnel {
	t := tunnel(name, tunnelfile.Offline, status)
	t.Reason = fault.Rule
	return t
}

func snapshot(tunnels ...listing.Tunnel) dbusapi.Snapshot {
	return dbusapi.Snapshot{Running: true, Global: listing.Global{Network: "online"}, Tunnels: tunnels}
}

func TestHeadlineAndIcon(t *testing.T) {
	up, blocked := tunnel("a", tunnelfile.Up, ""), tunnel("db", tunnelfile.Blocked, "")
	for _, c := range []struct {
		s        dbusapi.Snapshot
		headline string
		icon     Icon
	}{
		{dbusapi.Snapshot{}, "Holdfast is not running", IconIdle},
		{snapshot(), "No tunnels yet", IconIdle},
		{snapshot(tunnel("a", tunnelfile.Inactive, ""), tunnel("b", tunnelfile.Inactive, "")), "2 tunnels, none running", IconIdle},
		{snapshot(up), "1 tunnel up", IconUp},
		{snapshot(up, tunnel("b", tunnelfile.Listening, ""), tunnel("c", tunnelfile.Inactive, "")), "All 2 up", IconUp},
		{snapshot(up, blocked), "1 of 2 up · needs you: db", IconAttention},
		{snapshot(blocked, blocked, blocked, blocked), "0 of 4 up · needs you: db, db and 2 more", IconAttention},
		{snapshot(up, tunnel("b", tunnelfile.Retrying, ""), tunnel("c", tunnelfile.Connecting, "")), "1 of 3 up · 1 retrying · 1 connecting", IconWorking},
		{snapshot(up, tunnel("b", tunnelfile.Degraded, "")), "1 of 2 up · 1 degraded", IconWorking},
		{snapshot(up, tunnel("b", tunnelfile.Offline, ""), tunnel("c", tunnelfile.Retrying, "")), "1 of 3 up · 1 retrying · 1 offline", IconOffline},
		// At home, all that may run there does.
		{snapshot(up, forbidden("b", "OnlyOn=Office: on 'Home' now")), "1 tunnel up · 1 offline", IconUp},
		{snapshot(forbidden("b", "Metered=no: 'Phone' is metered")), "1 tunnel, none running · 1 offline", IconIdle},
		{snapshot(up, tunnel("b", tunnelfile.Offline, "no network"), forbidden("c", "OnlyOn=Office: on none of these now")), "1 of 2 up · 2 offline", IconOffline},
		{snapshot(tunnel("x", tunnelfile.Failed, "")), "0 of 1 up · needs you: x", IconAttention},
	} {
		if got := Headline(c.s); got != c.headline {
			t.Errorf("headline %q, want %q", got, c.headline)
		}
		if got := IconOf(c.s); got != c.icon {
			t.Errorf("%s: icon %s, want %s", c.headline, got, c.icon)
		}
	}
}

func TestView(t *testing.T) {
	s := snapshot(
		because(tunnel("db", tunnelfile.Blocked, "needs a passphrase for ~/.ssh/id_ed25519"), fault.Passphrase),
		tunnel("web", tunnelfile.Up, "3 forwards, rtt 12 ms"),
	)
	s.Global.Problems = []tunnelfile.Problem{{Path: "/h/x.tunnel", Line: 3}}
	s.Global.Version, s.Tunnels[1].WorkerVersion = "1.1", "1.0"
	got := Dump(ViewOf(Model{Snapshot: s, Now: noon, Muted: map[string]bool{"web": true}, Traffic: map[string]Traffic{
		"web": {At: noon, In: 1234567, Out: 999, Statistics: dbusapi.Statistics{RoundTripTime: 12345 * time.Microsecond, ChannelsOpen: 1}},
	}}))
	want := `icon: attention
1 of 2 up · needs you: db
Enter passphrase…
---
db – needs you >
    Needs a passphrase for ~/.ssh/id_ed25519
    Copy 127.0.0.1:5432  (to db.internal:5432)
    Open http://localhost:9000/  (to web:80)
    Copy the server's 9090  (to localhost:9090) – retrying: the server still holds port 9090
    Enter passphrase…
    Stop
    Show log
    Edit…
    [x] Start at login
web – up >
    ↓ 1.2 MiB/s  ↑ 999 B/s · rtt 12 ms · 1 connection
    Copy 127.0.0.1:5432  (to db.internal:5432)
    Open http://localhost:9000/  (to web:80)
    Copy the server's 9090  (to localhost:9090) – retrying: the server still holds port 9090
    Stop
    Reconnect
    Show log
    Edit…
    [x] Start at login
---
All tunnels >
    (All up)
    All down
    Pause for 15 minutes
    Pause for an hour
    Pause until 8:00 in the morning
    Pause until I say so
Holdfast >
    Mistake in /h/x.tunnel…
    web runs an older program – restart it
    Add a tunnel…
    Check…
    Help
    Notify of 1 muted tunnel again
    Quit
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestViewOfLittle(t *testing.T) {
	absent := Dump(ViewOf(Model{Snapshot: dbusapi.Snapshot{Err: dbusapi.ErrStopped}, Now: noon}))
	for _, want := range []string{"Holdfast is not running: holdfastd was stopped\n", "Start Holdfast\n", "icon: idle\n"} {
		if !strings.Contains(absent, want) {
			t.Errorf("without a daemon there is no %q in\n%s", want, absent)
		}
	}
	paused := Dump(ViewOf(Model{Snapshot: snapshot(tunnel("a", tunnelfile.Inactive, "")), Now: noon, Pause: Pause{Since: noon, Until: noon.Add(time.Hour)}}))
	for _, want := range []string{"Paused until 13:00\n", "Go on now\n"} {
		if !strings.Contains(paused, want) {
			t.Errorf("in a pause there is no %q in\n%s", want, paused)
		}
	}
}

// TestToDo: the second line is what helps most, and nothing that there is to do is lost.
func TestToDo(t *testing.T) {
	needy := because(tunnel("db", tunnelfile.Blocked, ""), fault.Passphrase)
	failed := tunnel("web", tunnelfile.Failed, "")
	old := tunnel("old", tunnelfile.Up, "")
	old.WorkerVersion = "1.0"
	for _, c := range []struct {
		s    dbusapi.Snapshot
		want string
	}{
		{snapshot(), "add Add a tunnel…"},
		{snapshot(tunnel("a", tunnelfile.Up, "")), ""},
		{snapshot(tunnel("a", tunnelfile.Up, ""), needy), "answer db Enter passphrase…"},
		{snapshot(needy, failed), "answer db db: Enter passphrase…"},
		{snapshot(failed), "log web web: Show log"},
		{snapshot(old), "renew old runs an older program – restart it"},
		{snapshot(old, old), "renew 2 tunnels run an older program – restart them"},
	} {
		c.s.Global.Version = "1.1"
		var got string
		if items := ViewOf(Model{Snapshot: c.s, Now: noon}).Items; items[1].Kind == Action {
			got = items[1].Key + " " + items[1].Label
		}
		if got != c.want {
			t.Errorf("second line %q, want %q", got, c.want)
		}
	}
}

// TestRemedy: each reason has the button that helps, and the sentence is of no account.
func TestRemedy(t *testing.T) {
	for reason, want := range map[fault.Reason]string{
		fault.Passphrase:     "answer Enter passphrase…",
		fault.PIN:            "answer Enter PIN…",
		fault.Password:       "answer Enter password…",
		fault.Code:           "answer Answer the server…",
		fault.Touch:          "answer Touch the key…",
		fault.HostKeyUnknown: "answer Review host key…",
		fault.HostKeyChanged: "trust Review host key…",
		fault.HostKeyRevoked: "trust Review host key…",
		fault.Denied:         "check Find out why…",
		fault.Settings:       "edit Edit…",
		fault.Listen:         "check Find out why…",
		fault.None:           "check Find out why…",
	} {
		for _, status := range []string{"", "needs a passphrase for x", "the host key of h has changed; run: holdfast trust x"} {
			db := because(tunnel("x", tunnelfile.Blocked, status), reason)
			if r := remedyFor(db); r.verb+" "+r.label != want {
				t.Errorf("%s: %s %s, want %s", reason, r.verb, r.label, want)
			}
		}
	}
	for _, r := range fault.Reasons() {
		n := needsYouNotice(because(tunnel("x", tunnelfile.Blocked, "the host key of h is not known; run: holdfast trust x"), r))
		if r.Class() == fault.ClassDistrusted && (strings.Contains(n.Body, "run: ") || n.Body == "") {
			t.Errorf("%s: a notification with a command: %q", r, n.Body)
		}
		if want := r == fault.HostKeyChanged || r == fault.HostKeyRevoked; n.Urgent != want {
			t.Errorf("%s: urgent %v", r, n.Urgent)
		}
	}
	if r := remedyFor(tunnel("x", tunnelfile.Failed, "needs a passphrase")); r.label != "Show log" {
		t.Errorf("failed: %s", r.label)
	}
}

var states = []tunnelfile.State{tunnelfile.Blocked, tunnelfile.Failed, tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting,
	tunnelfile.Offline, tunnelfile.Stopping, tunnelfile.Up, tunnelfile.Listening, tunnelfile.Inactive}

// randomModel is anything that may be.
func randomModel(r *rand.Rand) Model {
	s := snapshot()
	s.Running = r.IntN(10) > 0
	if !s.Running {
		return Model{Snapshot: dbusapi.Snapshot{Err: dbusapi.ErrGone}, Now: noon}
	}
	for i := range r.IntN(30) {
		t := tunnel(fmt.Sprintf("t_%d", i), states[r.IntN(len(states))], []string{"", "needs a passphrase", "in 8s"}[r.IntN(3)])
		t.Reason = []fault.Reason{fault.None, fault.Passphrase, fault.Lost}[r.IntN(3)]
		t.Tags = [][]string{nil, {"work"}, {"home", "work"}, {"lab"}}[r.IntN(4)]
		t.Forwards = t.Forwards[:r.IntN(5)]
		s.Tunnels = append(s.Tunnels, t)
	}
	m := Model{Snapshot: s, Now: noon}
	if r.IntN(5) == 0 {
		m.Pause = Pause{Since: noon}
	}
	return m
}

// TestViewFits holds every view against the skeleton of the top level.
func TestViewFits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		m := randomModel(r)
		v := ViewOf(m)
		next := 0
		for _, item := range v.Items {
			for next < len(skeleton) && skeleton[next] != item.Kind {
				if skeleton[next] == Separator {
					t.Fatalf("%q does not fit in its section:\n%s", item.Label, Dump(v))
				}
				next++
			}
			if next == len(skeleton) {
				t.Fatalf("%q does not fit:\n%s", item.Label, Dump(v))
			}
			next++
		}
	}
}

// TestViewIsLow: a menu with any of its submenus open is seen whole, and no action is two levels down.
func TestViewIsLow(t *testing.T) {
	for n := range 40 {
		var all []listing.Tunnel
		for i := range n {
			all = append(all, because(tunnel(fmt.Sprintf("t%02d", i), states[i%len(states)], "a status"), fault.Passphrase))
		}
		m := Model{Snapshot: snapshot(all...), Now: noon}
		seen := map[string]bool{}
		for _, picked := range append([]listing.Tunnel{{}}, all...) {
			m.Picked = picked.Name
			v, highest := ViewOf(m), 0
			for _, item := range v.Items {
				highest = max(highest, len(item.Items))
				for _, below := range item.Items {
					seen[below.Key] = true
					if below.Kind == Submenu {
						t.Fatalf("%s > %s is a submenu of a submenu", item.Label, below.Label)
					}
				}
			}
			if rows := len(v.Items) - 2 + highest; rows > maxRows && n <= maxTop-1-maxGroups+maxGroups*maxMembers { // 1: what is to be done
				t.Fatalf("%d tunnels: %d rows\n%s", n, rows, Dump(v))
			}
		}
		for _, tunnel := range all {
			for _, verb := range []string{"log", "edit", "login"} {
				if !seen[key(verb, tunnel.Name)] {
					t.Errorf("%d tunnels: %s of %s cannot be reached", n, verb, tunnel.Name)
				}
			}
		}
	}
}

func TestClock(t *testing.T) {
	for at, want := range map[time.Time]string{
		noon.Add(-time.Hour):           "11:00",
		noon.Add(-13 * time.Hour):      "Tue 23:00",
		noon.Add(-10 * 24 * time.Hour): "22 Feb 12:00",
		noon.Add(20 * time.Hour):       "Thu 08:00",
	} {
		if got := clock(at, noon); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}

func TestWebAddress(t *testing.T) {
	for _, c := range []struct {
		listen, target, want string
		kind                 tunnelfile.ForwardKind
	}{
		{"127.0.0.1:8080", "web:80", "http://127.0.0.1:8080/", tunnelfile.LocalForward},
		{"[::1]:8080", "[fe80::1]:443", "https://[::1]:8080/", tunnelfile.LocalForward},
		{"*:9000", "web:8080", "http://localhost:9000/", tunnelfile.LocalForward},
		{"localhost:9000", "web:8443", "https://localhost:9000/", tunnelfile.LocalForward},
		{"127.0.0.1:5432", "db:5432", "", tunnelfile.LocalForward},
		{"/run/x.sock", "web:80", "", tunnelfile.LocalForward},
		{"9000", "web:80", "", tunnelfile.RemoteForward},
		{"localhost:9000", "/run/x", "", tunnelfile.LocalForward},
	} {
		if got := webAddress(tunnelfile.ForwardReport{Kind: c.kind, Listen: c.listen, Target: c.target}); got != c.want {
			t.Errorf("%s → %s: %q, want %q", c.listen, c.target, got, c.want)
		}
	}
}
