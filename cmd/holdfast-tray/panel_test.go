//go:build cgo

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// need skips a test without a tool, or fails it where CI is set.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// screen starts an X server without a screen and points DISPLAY at it.
func screen(t testing.TB) *exec.Cmd { return screenOf(t, "1000x600x24") }

// screenOf is the same with a screen of that size.
func screenOf(t testing.TB, size string) *exec.Cmd {
	t.Helper()
	need(t, "Xvfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-noreset", "-nolisten", "tcp", "-screen", "0", size)
	x.ExtraFiles = []*os.File{w}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = x.Process.Kill()
		_ = x.Wait()
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb said no display: %v", err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
	return x
}

// watcher is a StatusNotifierWatcher: what a panel is to an icon.
type watcher struct {
	conn  *dbus.Conn
	items chan item
}

// item is an icon that was registered.
type item struct {
	conn *dbus.Conn
	name string
	path dbus.ObjectPath
}

// RegisterStatusNotifierItem is called by each icon.
func (w *watcher) RegisterStatusNotifierItem(service string, sender dbus.Sender) *dbus.Error {
	i := item{w.conn, string(sender), dbus.ObjectPath(service)}
	if !strings.HasPrefix(service, "/") {
		i.name, i.path = service, "/StatusNotifierItem"
	}
	w.items <- i
	return nil
}

// Get is org.freedesktop.DBus.Properties.
func (w *watcher) Get(_, name string) (dbus.Variant, *dbus.Error) {
	return map[string]dbus.Variant{
		"IsStatusNotifierHostRegistered": dbus.MakeVariant(true),
		"ProtocolVersion":                dbus.MakeVariant(int32(0)),
		"RegisteredStatusNotifierItems":  dbus.MakeVariant([]string{}),
	}[name], nil
}

// GetAll is org.freedesktop.DBus.Properties.
func (w *watcher) GetAll(iface string) (map[string]dbus.Variant, *dbus.Error) {
	all := map[string]dbus.Variant{}
	for _, name := range []string{"IsStatusNotifierHostRegistered", "ProtocolVersion", "RegisteredStatusNotifierItems"} {
		all[name], _ = w.Get(iface, name)
	}
	return all, nil
}

// watch is a watcher on the session bus, until the test ends or stop is called.
func watch(t testing.TB) (w *watcher, stop func()) {
	t.Helper()
	w = &watcher{conn: apitest.Connect(t), items: make(chan item, 8)}
	if err := w.conn.Export(w, "/StatusNotifierWatcher", watcherName); err != nil {
		t.Fatal(err)
	}
	if err := w.conn.Export(w, "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.conn.RequestName(watcherName, 0); err != nil {
		t.Fatal(err)
	}
	return w, func() { _ = w.conn.Close() }
}

// icon waits for an icon to register.
func (w *watcher) icon(t testing.TB) item {
	t.Helper()
	select {
	case i := <-w.items:
		return i
	case <-time.After(20 * time.Second):
		t.Fatal("no icon appeared")
		return item{}
	}
}

// node is an item of a menu as a panel reads it (com.canonical.dbusmenu).
type node struct {
	ID       int32
	Label    string
	Kind     tray.Kind
	Checked  bool
	Disabled bool
	Children []node
}

func (i item) property(ctx context.Context, name string) (dbus.Variant, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var v dbus.Variant
	err := i.conn.Object(i.name, i.path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierItem", name).Store(&v)
	return v, err
}

func (i item) get(t *testing.T, name string) dbus.Variant {
	t.Helper()
	v, err := i.property(t.Context(), name)
	if err != nil {
		t.Fatalf("%s of the icon: %v", name, err)
	}
	return v
}

// read reads the whole menu.
func (i item) read(ctx context.Context) ([]node, error) {
	menu, err := i.property(ctx, "Menu")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var revision uint32
	var root layout
	err = i.conn.Object(i.name, menu.Value().(dbus.ObjectPath)).CallWithContext(ctx, "com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		return nil, err
	}
	n, err := nodeOf(root)
	return n.Children, err
}

// menu reads the whole menu.
func (i item) menu(t *testing.T) []node {
	t.Helper()
	nodes, err := i.read(t.Context())
	if err != nil {
		t.Fatalf("GetLayout: %v", err)
	}
	return nodes
}

type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

func nodeOf(l layout) (node, error) {
	n := node{ID: l.ID}
	if s, ok := l.Properties["label"].Value().(string); ok {
		s = strings.ReplaceAll(s, "__", "\x00")
		n.Label = strings.ReplaceAll(strings.ReplaceAll(s, "_", ""), "\x00", "_")
	}
	if l.Properties["type"].Value() == "separator" {
		n.Kind = tray.Separator
	}
	if l.Properties["toggle-type"].Value() == "checkmark" {
		n.Kind = tray.Check
		n.Checked = l.Properties["toggle-state"].Value() == int32(1)
	}
	if l.Properties["children-display"].Value() == "submenu" {
		n.Kind = tray.Submenu
	}
	n.Disabled = l.Properties["enabled"].Value() == false
	for _, c := range l.Children {
		var child layout
		if err := dbus.Store([]any{c.Value()}, &child); err != nil {
			return n, err
		}
		if child.Properties["visible"].Value() == false {
			continue
		}
		c, err := nodeOf(child)
		if err != nil {
			return n, err
		}
		n.Children = append(n.Children, c)
	}
	return n, nil
}

// items is a menu as the tray's own.
func items(nodes []node) []tray.Item {
	var list []tray.Item
	for _, n := range nodes {
		list = append(list, tray.Item{Kind: n.Kind, Label: n.Label, Checked: n.Checked, Disabled: n.Disabled, Items: items(n.Children)})
	}
	return list
}

// find is the item at a path of labels, each of them the beginning of one.
func find(nodes []node, labels ...string) (node, bool) {
	for _, n := range nodes {
		if strings.HasPrefix(n.Label, labels[0]) {
			if len(labels) == 1 {
				return n, true
			}
			return find(n.Children, labels[1:]...)
		}
	}
	return node{}, false
}

// grace is how long a click on a new item is dropped, and a little.
const grace = 350 * time.Millisecond

// click clicks an item when it is there and its meaning has settled.
func (i item) click(t *testing.T, labels ...string) {
	t.Helper()
	var n node
	var since time.Time // it is there, in the same place
	eventually(t, "an item "+strings.Join(labels, " > "), func() bool {
		now, ok := find(i.menu(t), labels...)
		if !ok || now.Disabled || now.ID != n.ID {
			n, since = node{}, time.Now()
			if ok && !now.Disabled {
				n = now
			}
		}
		return n.ID != 0 && time.Since(since) > grace // it is the time itself that counts
	})
	path := i.get(t, "Menu").Value().(dbus.ObjectPath)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := i.conn.Object(i.name, path).CallWithContext(ctx, "com.canonical.dbusmenu.Event", 0, n.ID, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err
	if err != nil {
		t.Fatalf("click on %q: %v", n.Label, err)
	}
}

// eventually polls for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// process is a holdfast-tray that runs.
type process struct {
	*exec.Cmd
	done chan struct{} // closed when it has ended
}

// build builds the tray once.
func build(t testing.TB) string {
	t.Helper()
	need(t, "pkg-config", "gcc")
	binary := filepath.Join(os.TempDir(), fmt.Sprintf("holdfast-tray-test-%d", os.Getpid()))
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	args := []string{"build", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// launch starts a tray that was built for the test, in the test's environment.
func launch(t testing.TB) process {
	t.Helper()
	return start(t, build(t))
}

// start starts a tray in the test's environment.
func start(t testing.TB, binary string) process {
	t.Helper()
	p := process{exec.Command(binary), make(chan struct{})}
	p.Stderr = os.Stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
	})
	return p
}

// keep starts the tray and, as its unit does, starts it again when it fails: the toolkit
// may end it at any time.
func keep(t *testing.T) {
	t.Helper()
	binary := build(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c := exec.CommandContext(ctx, binary)
			c.Stderr = os.Stderr
			err := c.Run()
			if ctx.Err() != nil {
				return
			}
			if status := c.ProcessState.ExitCode(); status == 0 || status == exitUnavailable {
				t.Errorf("the tray ended with status %d, after which nobody starts it again", status)
				return
			}
			t.Log("the tray is started again:", err)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// status waits for the end.
func (p process) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatal("the tray did not end")
		return 0
	}
}

// background runs a program until the test ends.
func background(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// windowManager starts one, so that windows get the keyboard, and waits until it is there.
func windowManager(t testing.TB) {
	t.Helper()
	background(t, "xfwm4", "--compositor=off")
	eventually(t, "a window manager", func() bool { return exec.Command("xdotool", "get_num_desktops").Run() == nil })
}

// windows is the visible windows with this title.
func windows(title string) []string {
	out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^"+title+"$").Output()
	return strings.Fields(string(out))
}

// tool runs a program to its end.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// dunstConfig is notifications as desktops show them, with the application's icon.
const dunstConfig = `[global]
    width = 330
    offset = 15x45
    frame_width = 1
    frame_color = "#b0b0b0"
    corner_radius = 6
    padding = 10
    horizontal_padding = 12
    font = DejaVu Sans 10
    format = "<b>%s</b>\n%b"
    show_indicators = no
    icon_position = left
    max_icon_size = 32
    icon_path = @icons@
[urgency_normal]
    background = "#fcfcfc"
    foreground = "#2e3436"
`

// posed is tunnels for pictures.
func posed() (db, signal, backup, work listing.Tunnel) {
	db = tunnel("db", tunnelfile.Up, "1 forward, rtt 12 ms")
	db.Destination, db.UpSince = "me@db.example.com", time.Now().Add(-3*time.Hour)
	db.Forwards = append(db.Forwards, tunnelfile.ForwardReport{Kind: tunnelfile.LocalForward, Listen: "localhost:8080", Target: "wiki.internal:80", State: tunnelfile.Up})
	db.Forwards[0].Target = "db.internal:5432"
	signal = tunnel("signald", tunnelfile.Listening, "")
	backup = tunnel("backup", tunnelfile.Retrying, "in 8 s; cannot connect to 198.51.100.2 port 22: connection refused")
	work = tunnel("work", tunnelfile.Blocked, "needs a passphrase for ~/.ssh/id_ed25519")
	work.Destination, work.Reason = "me@work.example.com", fault.Passphrase
	return db, signal, backup, work
}
