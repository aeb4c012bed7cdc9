//go:build cgo

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestMain(m *testing.M) {
	status := m.Run()
	_ = os.Remove(filepath.Join(os.TempDir(), fmt.Sprintf("holdfast-tray-test-%d", os.Getpid())))
	os.Exit(status)
}

// backend is tunnels made of memory that notes what is asked of it.
type backend struct {
	*apitest.Backend
	mu    sync.Mutex
	asked []string
}

func (b *backend) note(verb string, names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, strings.Join(append([]string{verb}, names...), " "))
}

// wait waits until something is asked, and forgets what was asked so far.
func (b *backend) wait(t *testing.T, want string) {
	t.Helper()
	eventually(t, "a call: "+want, func() bool { return b.was(want) })
}

// was says whether something was asked; if so, it forgets what was asked so far.
func (b *backend) was(want string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.asked, want) {
		return false
	}
	b.asked = nil
	return true
}

func (b *backend) Start(ctx context.Context, names []string) error {
	b.note("start", names)
	return b.Backend.Start(ctx, names)
}

func (b *backend) Stop(ctx context.Context, names []string) error {
	b.note("stop", names)
	return b.Backend.Stop(ctx, names)
}

func (b *backend) Reconnect(ctx context.Context, names []string) error {
	b.note("reconnect", names)
	return b.Backend.Reconnect(ctx, names)
}

func (b *backend) RestartRolling(ctx context.Context, names []string) error {
	b.note("restart --rolling", names)
	return b.Backend.RestartRolling(ctx, names)
}

// session is a session's bus, screen and folders, with a daemon made of memory.
func session(t testing.TB) *backend {
	t.Helper()
	build(t) // while $HOME has Go's cache
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	dir, err := os.MkdirTemp("", "hft") // a short path, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, value := range map[string]string{"XDG_RUNTIME_DIR": dir, "HOME": dir, "XDG_STATE_HOME": dir + "/state", "WAYLAND_DISPLAY": "", "XDG_CURRENT_DESKTOP": "", "SSH_ASKPASS": "", "TZ": "UTC"} {
		t.Setenv(name, value)
	}
	screen(t)
	return &backend{Backend: apitest.NewBackend()}
}

// tunnel is one in a state, as its daemon shows it.
func tunnel(name string, state tunnelfile.State, status string) listing.Tunnel {
	t := listing.Tunnel{
		Name: name, Description: "me@" + name, Destination: "me@" + name, FilePath: "/h/" + name + ".tunnel", Text: "[Tunnel]\nDestination=me@" + name + "\n",
		StartMode: tunnelfile.StartAuto, State: state, Status: status, StateSince: apitest.Since,
		Forwards: []tunnelfile.ForwardReport{{Kind: tunnelfile.LocalForward, Listen: "127.0.0.1:5432", Target: "db:5432", State: state}},
	}
	if state == tunnelfile.Up || state == tunnelfile.Degraded {
		t.UpSince = apitest.Since
	}
	return t
}

// want is the menu that a daemon's state calls for.
func want(t *testing.T, b *backend) string {
	t.Helper()
	ctx := t.Context()
	tunnels, err := b.Tunnels(ctx)
	if err != nil {
		t.Fatal(err)
	}
	global, err := b.Global(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return cut(tray.Dump(tray.ViewOf(tray.Model{Snapshot: dbusapi.Snapshot{Running: true, Global: global, Tunnels: tunnels}, Now: time.Now()})))
}

// cut leaves out the icon, which has a file and not a name on the bus.
func cut(dump string) string {
	_, rest, _ := strings.Cut(dump, "\n")
	return rest
}

// shows waits until the menu is the one that is wanted.
func shows(t *testing.T, i item, want string) {
	t.Helper()
	(&watcher{}).shows(t, i, want)
}

// pictured waits until the icon's file is a drawing.
func pictured(t *testing.T, i item, name tray.Icon) {
	t.Helper()
	eventually(t, "icon "+string(name), func() bool {
		path, _ := i.get(t, "IconName").Value().(string)
		b, err := os.ReadFile(path)
		return err == nil && bytes.Equal(b, tray.Picture(name))
	})
}

// shows is the same for a tray that may begin anew meanwhile, because its menu has grown
// too large; it returns the icon there is then.
func (w *watcher) shows(t *testing.T, i item, want string) item {
	t.Helper()
	var got string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case i = <-w.items:
			t.Log("the tray began anew")
		default:
		}
		nodes, err := i.read(t.Context())
		if err != nil {
			continue
		}
		if got = cut(tray.Dump(tray.View{Items: items(nodes)})); got == want {
			return i
		}
	}
	t.Fatalf("the panel shows\n%s\nwant\n%s", got, want)
	return i
}

var states = []tunnelfile.State{tunnelfile.Inactive, tunnelfile.Listening, tunnelfile.Offline, tunnelfile.Connecting, tunnelfile.Up,
	tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Failed, tunnelfile.Stopping}

func TestStates(t *testing.T) {
	b := session(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	launch(t)
	i := w.icon(t)
	shows(t, i, want(t, b))
	pictured(t, i, tray.IconIdle)
	for state, icon := range map[tunnelfile.State]tray.Icon{tunnelfile.Up: tray.IconUp, tunnelfile.Retrying: tray.IconWorking,
		tunnelfile.Blocked: tray.IconAttention, tunnelfile.Offline: tray.IconOffline, tunnelfile.Inactive: tray.IconIdle} {
		b.Put(tunnel("one_two", state, "a status"))
		shows(t, i, want(t, b))
		pictured(t, i, icon)
	}
	for _, state := range states {
		b.Put(tunnel("one_two", state, "a status"))
		shows(t, i, want(t, b))
	}
}

// TestItem: what a panel and a screen reader are told of the icon besides its picture.
func TestItem(t *testing.T) {
	b := session(t)
	stale := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "holdfast/systray_stale")
	if err := os.MkdirAll(filepath.Dir(stale), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w, _ := watch(t)
	apitest.Serve(t, b)
	b.Put(tunnel("db", tunnelfile.Up, ""))
	launch(t)
	i := w.icon(t)
	says := func(property, want string) {
		t.Helper()
		eventually(t, property+" "+want, func() bool {
			v, err := i.property(t.Context(), property)
			return err == nil && v.Value() == want
		})
	}
	says("Id", "holdfast")
	says("Title", "Holdfast")
	says("IconAccessibleDesc", "Holdfast: all tunnels are up")
	says("Status", "Active")
	b.Put(tunnel("db", tunnelfile.Blocked, "needs a passphrase"))
	says("Status", "NeedsAttention")
	says("AttentionAccessibleDesc", "Holdfast: a tunnel needs you")
	b.Put(tunnel("db", tunnelfile.Up, ""))
	says("Status", "Active")
	if _, err := os.Stat(stale); err == nil {
		t.Error("the icon file of a tray that was killed is still there")
	}
}

func TestRandom(t *testing.T) {
	b := session(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	keep(t)
	i := w.icon(t)
	r := rand.New(rand.NewPCG(5, 6))
	sequences := 200
	if testing.Short() {
		sequences = 20
	}
	for range sequences {
		for range 1 + r.IntN(8) {
			name := fmt.Sprintf("t%d", r.IntN(16))
			if r.IntN(4) == 0 {
				_ = b.RemoveTunnel(t.Context(), name) // or it was not there
			} else {
				b.Put(tunnel(name, states[r.IntN(len(states))], []string{"", "needs a passphrase for x", "in 8s"}[r.IntN(3)]))
			}
		}
		i = w.shows(t, i, want(t, b))
	}
}

func TestClicks(t *testing.T) {
	b := session(t)
	dir := os.Getenv("HOME")
	// Programs of the person's, which note what they were told.
	for _, name := range []string{"xdg-terminal-exec", "xdg-open", "xclip"} {
		script := "#!/bin/sh\n[ -z \"$TMPDIR$GDK_GL$GTK_THEME$NO_AT_BRIDGE\" ] || set -- \"the tray's environment\"\nprintf '%s ' " + name + " \"$@\" >" + dir + "/told.new\n[ " + name + " != xclip ] || cat >>" + dir + "/told.new\nmv " + dir + "/told.new " + dir + "/told\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("TERMINAL", "")
	told := func(want string) {
		t.Helper()
		eventually(t, "a program: "+want, func() bool {
			got, err := os.ReadFile(dir + "/told")
			return err == nil && strings.TrimSpace(string(got)) == want
		})
		_ = os.Remove(dir + "/told")
	}
	w, _ := watch(t)
	apitest.Serve(t, b)
	b.Put(tunnel("db", tunnelfile.Up, "1 forward"))
	web := tunnel("web", tunnelfile.Blocked, "needs a passphrase for x")
	web.Reason = fault.Passphrase
	b.Put(web)
	p := launch(t)
	i := w.icon(t)
	shows(t, i, want(t, b))

	i.click(t, "web – needs you", "Enter passphrase…")
	b.wait(t, "reconnect web")
	i.click(t, "Enter passphrase…") // under the headline
	b.wait(t, "reconnect web")
	i.click(t, "db – up", "Reconnect")
	b.wait(t, "reconnect db")
	i.click(t, "db – up", "Copy 127.0.0.1:5432")
	told("xclip -selection clipboard 127.0.0.1:5432")
	i.click(t, "db – up", "Show log")
	told(`xdg-terminal-exec sh -c "$@" || { printf '\nReturn closes this window. '; read -r _; } sh holdfast logs db -f -n 200`)
	i.click(t, "db – up", "Edit…")
	told(`xdg-terminal-exec sh -c "$@" || { printf '\nReturn closes this window. '; read -r _; } sh holdfast edit db`)
	i.click(t, "db – up", "Stop")
	b.wait(t, "stop db")
	i.click(t, "db – inactive", "Start")
	b.wait(t, "start db")

	i.click(t, "db – ", "Start at login")
	eventually(t, "Start=manual", func() bool {
		one, err := b.Tunnel(t.Context(), "db")
		return err == nil && one.StartMode == tunnelfile.StartManual && strings.Contains(one.Text, "Start=manual")
	})
	eventually(t, "a box without a tick", func() bool {
		n, ok := find(i.menu(t), "db – ", "Start at login")
		return ok && !n.Checked
	})
	i.click(t, "db – ", "me@db")
	told(`xdg-terminal-exec sh -c "$@" ; { printf '\nReturn closes this window. '; read -r _; } sh holdfast status db`)
	for label, verb := range map[string]string{"Add a tunnel…": "add", "Check…": "check", "Help": "help"} {
		i.click(t, "Holdfast", label)
		told(`xdg-terminal-exec sh -c "$@" ; { printf '\nReturn closes this window. '; read -r _; } sh holdfast ` + verb)
	}

	old := tunnel("old", tunnelfile.Up, "")
	old.WorkerVersion = "0.0.0-older"
	b.Put(old)
	i.click(t, "Holdfast", "old runs an older program")
	b.wait(t, "restart --rolling old")
	if err := b.RemoveTunnel(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}

	i.click(t, "db – up") // opens the submenu
	eventually(t, "traffic", func() bool {
		_, ok := find(i.menu(t), "db – up", "↓ 0 B/s  ↑ 0 B/s · rtt 12 ms · 2 connections")
		return ok
	})

	i.click(t, "All tunnels", "Pause for an hour")
	b.wait(t, "stop db web")
	i.click(t, "Go on now")
	b.wait(t, "start db web")
	i.click(t, "All tunnels", "All down")
	b.wait(t, "stop")
	i.click(t, "All tunnels", "All up")
	b.wait(t, "start")
	i.click(t, "Holdfast", "Quit")
	if status := p.status(t); status != 0 {
		t.Errorf("exit status %d after Quit", status)
	}
}

// TestPauseEnds: a pause ends by itself, also when another tray began it.
func TestPauseEnds(t *testing.T) {
	b := session(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	for _, name := range []string{"db", "web"} {
		b.Put(tunnel(name, tunnelfile.Inactive, ""))
	}
	dir := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "holdfast")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(3 * time.Second)
	pause := fmt.Sprintf(`{"since":%q,"until":%q,"tunnels":["web","gone"]}`, until.Add(-time.Hour).Format(time.RFC3339Nano), until.Format(time.RFC3339Nano))
	if err := os.WriteFile(filepath.Join(dir, "pause.json"), []byte(pause), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t)
	i := w.icon(t)
	eventually(t, "a pause in the menu", func() bool { _, ok := find(i.menu(t), "Paused until "); return ok })
	b.wait(t, "start web")
	if early := time.Until(until); early > 0 {
		t.Errorf("it ended %v early", early)
	}
	shows(t, i, want(t, b))
}

// TestComings has everything the tray stands on come late, go and come back.
func TestComings(t *testing.T) {
	b := session(t)
	p := launch(t)
	time.Sleep(200 * time.Millisecond) // it has nobody to show itself to, and nothing to wait for
	w, gone := watch(t)
	i := w.icon(t)
	eventually(t, "no daemon", func() bool { _, ok := find(i.menu(t), "Holdfast is not running"); return ok })

	stop := apitest.Serve(t, b)
	b.Put(tunnel("db", tunnelfile.Up, ""))
	shows(t, i, want(t, b))
	stop()
	eventually(t, "no daemon", func() bool { _, ok := find(i.menu(t), "Start Holdfast"); return ok })
	apitest.Serve(t, b)
	shows(t, i, want(t, b))

	gone() // the panel
	b.Put(tunnel("web", tunnelfile.Up, ""))
	w, _ = watch(t)
	i = w.icon(t)
	shows(t, i, want(t, b))

	if second := launch(t); second.status(t) != 0 {
		t.Errorf("a second tray: exit status %d", second.ProcessState.ExitCode())
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := p.status(t); status != 0 {
		t.Errorf("SIGTERM: exit status %d", status)
	}
}

// TestScreenGone ends the screen under the tray. Whoever started it starts it again.
func TestScreenGone(t *testing.T) {
	b := session(t)
	x := screen(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	p := launch(t)
	w.icon(t)
	_ = x.Process.Kill()
	if status := p.status(t); status == 0 || status == exitUnavailable {
		t.Errorf("exit status %d, which nobody takes for a failure", status)
	}
}

// TestBusGone ends the bus under the tray: it is started again, and finds the next one.
func TestBusGone(t *testing.T) {
	session(t)
	w, _ := watch(t)
	p := launch(t)
	w.icon(t)
	var bus uint32
	if err := w.conn.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, "org.freedesktop.DBus").Store(&bus); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(int(bus), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status := p.status(t); status == 0 || status == exitUnavailable {
		t.Errorf("exit status %d, which nobody takes for a failure", status)
	}
}

func TestNoDesktop(t *testing.T) {
	session(t)
	display := os.Getenv("DISPLAY")
	t.Setenv("DISPLAY", "")
	if status := launch(t).status(t); status != exitUnavailable {
		t.Errorf("no display: exit status %d", status)
	}
	t.Setenv("DISPLAY", display)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	if status := launch(t).status(t); status != exitUnavailable {
		t.Errorf("no bus: exit status %d", status)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	if status := launch(t).status(t); status != exitUnavailable {
		t.Errorf("a bus that is gone: exit status %d", status)
	}
}
