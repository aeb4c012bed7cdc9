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
		tunnel("db", tunnelfile.Blocked, "needs a passphrase for ~/.ssh/id_ed25519"),
		tunnel("web", tunnelfile.Up, "3 forwards, rtt 12 ms"),
	)
	s.Global.Problems = []tunnelfile.Problem{{Path: "/h/x.tunnel", Line: 3}}
	got := Dump(ViewOf(Model{Snapshot: s, Now: noon, Muted: map[string]bool{"web": true}, Traffic: map[string]Traffic{
		"web": {At: noon, In: 1234567, Out: 999, Statistics: dbusapi.Statistics{RoundTripTime: 12345 * time.Microsecond, ChannelsOpen: 1}},
	}}))
	want := `icon: attention
(1 of 2 up · needs you: db)
(Network: online)
db: Enter passphrase…
Mistake in /h/x.tunnel…
---
db – blocked >
    (me@db · blocked since 11:00)
    (needs a passphrase for ~/.ssh/id_ed25519)
    Enter passphrase…
    Copy 127.0.0.1:5432  (to db.internal:5432)
    Open http://localhost:9000/  (to web:80)
    Copy the server's 9090  (to localhost:9090) – retrying: the server still holds port 9090
    Copy localhost:1080  (to SOCKS)
    Stop
    Reconnect
    [x] Start at login
    [ ] Do not tell me about this tunnel
    Show log
    Edit…
web – up >
    (me@web · up since 11:00)
    (↓ 1.2 MB/s  ↑ 999 B/s · rtt 12 ms · 1 connection)
    Copy 127.0.0.1:5432  (to db.internal:5432)
    Open http://localhost:9000/  (to web:80)
    Copy the server's 9090  (to localhost:9090) – retrying: the server still holds port 9090
    Copy localhost:1080  (to SOCKS)
    Stop
    Reconnect
    [x] Start at login
    [x] Do not tell me about this tunnel
    Show log
    Edit…
---
(All up)
All down
Pause all >
    For 15 minutes
    For an hour
    Until 8:00 in the morning
    Until I say so
---
Quit
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestViewOfLittle(t *testing.T) {
	absent := Dump(ViewOf(Model{Snapshot: dbusapi.Snapshot{Err: dbusapi.ErrGone}, Now: noon}))
	for _, want := range []string{"(Holdfast is not running)\n", "Start Holdfast\n", "icon: idle\n"} {
		if !strings.Contains(absent, want) {
			t.Errorf("without a daemon there is no %q in\n%s", want, absent)
		}
	}
	paused := Dump(ViewOf(Model{Snapshot: snapshot(tunnel("a", tunnelfile.Inactive, "")), Now: noon, Pause: Pause{Since: noon, Until: noon.Add(time.Hour)}}))
	for _, want := range []string{"(Paused until 13:00)\n", "Go on now\n"} {
		if !strings.Contains(paused, want) {
			t.Errorf("in a pause there is no %q in\n%s", want, paused)
		}
	}
}

// TestHelp holds the one thing that helps against the sentences that say what is wrong.
func TestHelp(t *testing.T) {
	for status, want := range map[string]string{
		"needs a passphrase for ~/.ssh/id_ed25519":                                       "answer Enter passphrase…",
		"needs a passphrase for ~/.ssh/code; the question was declined":                  "answer Enter passphrase…",
		"was given a wrong passphrase for ~/.ssh/password":                               "answer Enter passphrase…",
		"needs the PIN of /usr/lib/opensc-pkcs11.so":                                     "answer Enter PIN…",
		"was given a wrong PIN for ~/.ssh/id_ed25519_sk":                                 "answer Enter PIN…",
		"needs a password for me@code.example; the server refused ~/.ssh/id_rsa":         "answer Enter password…",
		"needs an answer for me@host: \"Password:\"":                                     "answer Enter password…",
		"needs an answer for password@host: \"Verification code:\"":                      "answer Enter code…",
		"needs an answer for me@host: \"Your pet's name?\"":                              "answer Answer…",
		"the host key of h is not known and was not accepted: ssh-rsa SHA256:a; run: x":  "answer Review host key…",
		"the host key of h is not known: ssh-ed25519 SHA256:abc; run: holdfast trust x":  "trust Review host key…",
		"the host key of h has changed: ~/k:3 has SHA256:a, the server shows SHA256:b":   "trust Review host key…",
		"the host key of h is marked as revoked at ~/k:3: ssh-rsa SHA256:a":              "trust Review host key…",
		"h refused every way to log in as me; tried ~/.ssh/id; it takes password":        "log Show log",
		"h refused every way to log in as me; there was no key to try; it takes x":       "log Show log",
		"h refused every way to log in as me; tried ~/.ssh/id, password; it takes x":     "answer Enter password…",
		"h refused every way to log in as me; tried keyboard-interactive; it takes x":    "answer Log in…",
		"h allows no more tries (MaxAuthTries): tried ~/.ssh/password; name the right …": "log Show log",
		"code.example refused every way to log in as me; tried ~/.ssh/id":                "log Show log",
		"ProxyJump: h refused every way to log in as me; tried password":                 "answer Enter password…",
		"Destination \"ssh://passwords\" is not of the form ssh://[user@]host[:port]":    "log Show log",
	} {
		if verb, label := help(tunnel("x", tunnelfile.Blocked, status)); verb+" "+label != want {
			t.Errorf("%s: %s %s, want %s", status, verb, label, want)
		}
	}
	if _, label := help(tunnel("x", tunnelfile.Failed, "needs a passphrase")); label != "Show log" {
		t.Errorf("failed: %s", label)
	}
}

// randomModel is anything that may be.
func randomModel(r *rand.Rand) Model {
	states := append([]tunnelfile.State{}, groups...)
	s := snapshot()
	s.Running = r.IntN(10) > 0
	if !s.Running {
		return Model{Snapshot: dbusapi.Snapshot{Err: dbusapi.ErrGone}, Now: noon}
	}
	for i := range r.IntN(30) {
		t := tunnel(fmt.Sprintf("t_%d", i), states[r.IntN(len(states))], []string{"", "needs a passphrase", "in 8s"}[r.IntN(3)])
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
		{"9000", "web:8443", "https://localhost:9000/", tunnelfile.LocalForward},
		{"127.0.0.1:5432", "db:5432", "", tunnelfile.LocalForward},
		{"/run/x.sock", "web:80", "", tunnelfile.LocalForward},
		{"9000", "web:80", "", tunnelfile.RemoteForward},
		{"9000", "/run/x", "", tunnelfile.LocalForward},
	} {
		if got := webAddress(tunnelfile.ForwardReport{Kind: c.kind, Listen: c.listen, Target: c.target}); got != c.want {
			t.Errorf("%s → %s: %q, want %q", c.listen, c.target, got, c.want)
		}
	}
}
