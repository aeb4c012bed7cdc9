//go:build cgo && testbed

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// gnome is a GNOME shell that runs without a screen.
type gnome struct{ *testing.T }

// startGNOME starts one with a screen of this size and the extension for icons.
func startGNOME(t *testing.T, size string) gnome {
	t.Helper()
	for _, setting := range [][]string{
		{"org.gnome.shell", "enabled-extensions", "['ubuntu-appindicators@ubuntu.com']"},
		{"org.gnome.shell", "welcome-dialog-last-shown-version", "'999'"},
		{"org.gnome.desktop.interface", "enable-animations", "false"},
	} {
		tool(t, "gsettings", append([]string{"set"}, setting...)...)
	}
	for name, value := range map[string]string{"XDG_CURRENT_DESKTOP": "GNOME", "XDG_SESSION_TYPE": "wayland", "DISPLAY": "", "WAYLAND_DISPLAY": ""} {
		t.Setenv(name, value)
	}
	os.Unsetenv("WAYLAND_DISPLAY")
	os.Unsetenv("DISPLAY")
	shell := exec.Command("gnome-shell", "--wayland", "--headless", "--unsafe-mode", "--virtual-monitor", size)
	if os.Getenv("HOLDFAST_VERBOSE") != "" {
		shell.Stderr = os.Stderr
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = shell.Process.Kill()
		_ = shell.Wait()
	})
	g := gnome{t}
	eventually(t, "a GNOME shell", func() bool { out, err := g.try("Main.panel.visible"); return err == nil && out == "true" })
	g.eval(`Main.overview.hide(); true`)
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	auth, _ := filepath.Glob(runtime + "/.mutter-Xwaylandauth*")
	if len(auth) > 0 {
		t.Setenv("XAUTHORITY", auth[len(auth)-1])
	}
	t.Setenv("WAYLAND_DISPLAY", "wayland-0")
	t.Setenv("DISPLAY", ":0")
	g.eval(`const {Clutter, GLib} = imports.gi;
		const seat = Clutter.get_default_backend().get_default_seat();
		globalThis.hf = {
			pointer: seat.create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE),
			keyboard: seat.create_virtual_device(Clutter.InputDeviceType.KEYBOARD_DEVICE),
			icon: () => (Object.entries(Main.panel.statusArea).find(([k, a]) => k.startsWith('appindicator-')) || [])[1],
			rows: (menu) => menu._getMenuItems().flatMap(i => [i].concat(i.menu && i.menu._getMenuItems ? hf.rows(i.menu) : [])),
			shown: (a) => a.mapped && a.get_transformed_extents().size.height > 1,
			place: (a) => { const e = a.get_transformed_extents(); return {x: e.origin.x, y: e.origin.y, w: e.size.width, h: e.size.height}; },
			click: (x, y) => {
				const now = GLib.get_monotonic_time();
				hf.pointer.notify_absolute_motion(now, x, y);
				hf.pointer.notify_button(now + 1000, Clutter.BUTTON_PRIMARY, Clutter.ButtonState.PRESSED);
				hf.pointer.notify_button(now + 2000, Clutter.BUTTON_PRIMARY, Clutter.ButtonState.RELEASED);
			},
			key: (symbol) => {
				const now = GLib.get_monotonic_time();
				hf.keyboard.notify_keyval(now, symbol, Clutter.KeyState.PRESSED);
				hf.keyboard.notify_keyval(now + 1000, symbol, Clutter.KeyState.RELEASED);
			},
		}; true`)
	return g
}

// try runs JavaScript in the shell and returns what it comes to, as JSON.
func (g gnome) try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(g.Context(), 20*time.Second)
	defer cancel()
	var ok bool
	var result string
	conn := apitest.Connect(g)
	defer conn.Close()
	err := conn.Object("org.gnome.Shell", "/org/gnome/Shell").CallWithContext(ctx, "org.gnome.Shell.Eval", 0,
		"const Main = imports.ui.main; "+script).Store(&ok, &result)
	if err == nil && !ok {
		err = fmt.Errorf("%s", result)
	}
	return result, err
}

func (g gnome) eval(script string) string {
	g.Helper()
	out, err := g.try(script)
	if err != nil {
		g.Fatalf("the shell: %v in %s", err, script)
	}
	return out
}

// picture saves what is on the screen.
func (g gnome) picture(name string) {
	g.Helper()
	var ok bool
	var used string
	file := filepath.Join(g.TempDir(), name)
	err := apitest.Connect(g).Object("org.gnome.Shell.Screenshot", "/org/gnome/Shell/Screenshot").CallWithContext(g.Context(),
		"org.gnome.Shell.Screenshot.Screenshot", 0, false, false, file).Store(&ok, &used)
	if err != nil || !ok {
		g.Logf("no picture: %v", err)
		return
	}
	keepPicture(g.T, used, name)
}

// rectangle is a place on the screen.
type rectangle struct{ X, Y, W, H float64 }

// openMenu opens the icon's menu by a click, and waits until it is drawn.
func (g gnome) openMenu() {
	g.Helper()
	eventually(g, "the icon", func() bool { out, err := g.try("!!hf.icon() && hf.icon().visible"); return err == nil && out == "true" })
	eventually(g, "the menu", func() bool {
		if out, _ := g.try("hf.icon().menu.isOpen && hf.rows(hf.icon().menu).length > 3"); out == "true" {
			return true
		}
		g.eval("if (!hf.icon().menu.isOpen) { const p = hf.place(hf.icon()); hf.click(p.x + p.w / 2, p.y + p.h / 2); } true")
		time.Sleep(300 * time.Millisecond)
		return false
	})
}

// clickRow clicks the row with this label where it is seen whole on the screen.
func (g gnome) clickRow(label string) {
	g.Helper()
	var place rectangle
	script := fmt.Sprintf(`const row = hf.rows(hf.icon().menu).find(i => i.label && hf.shown(i) && i.label.text.startsWith(%q)); row ? [hf.place(row), hf.place(hf.icon().menu.actor)] : null`, label)
	eventually(g, "a row "+label+" that is seen whole", func() bool {
		var now [2]rectangle
		out, err := g.try(script)
		if err != nil || json.Unmarshal([]byte(out), &now) != nil {
			return false
		}
		row, menu := now[0], now[1]
		atRest := row == place
		place = row
		return atRest && row.H > 10 && row.Y >= menu.Y && row.Y+row.H <= menu.Y+menu.H && row.Y+row.H <= 768
	})
	g.eval(fmt.Sprintf("hf.click(%f, %f); true", place.X+place.W/2, place.Y+place.H/2))
	time.Sleep(200 * time.Millisecond) // the shell takes it in
}

// TestDesktopGNOME clicks every action of the last of twelve tunnels on a small screen, and types
// while a question comes in.
func TestDesktopGNOME(t *testing.T) {
	b := realDesktop(t, "gnome-shell", "gsettings", "zenity")
	noted := notedPrograms(t)
	g := startGNOME(t, "1366x768")
	twelve(b)
	start(t, traySeen)
	g.openMenu()
	g.picture("gnome-menu.png")
	inGroup := ""
	for _, item := range tray.ViewOf(tray.Model{Snapshot: snapshotOf(t, b), Now: time.Now()}).Items {
		for _, below := range item.Items {
			if below.Label == "tunnel11 – inactive" {
				inGroup = item.Label
			}
		}
	}
	g.clickRow(inGroup)
	g.picture("gnome-group.png")
	g.clickRow("tunnel11")
	picture := true
	action := func(label string) {
		t.Helper()
		g.openMenu()
		g.clickRow("tunnel11")
		if picture {
			picture = false
			g.picture("gnome-submenu.png")
			var menu rectangle
			if err := json.Unmarshal([]byte(g.eval("hf.place(hf.icon().menu.box)")), &menu); err != nil || menu.H > 600 {
				t.Errorf("the menu is %v high (%v)", menu.H, err)
			}
		}
		time.Sleep(grace)
		g.clickRow(label)
	}
	action("me@tunnel11")
	noted("holdfast status tunnel11")
	action("Copy 127.0.0.1:5432")
	noted("127.0.0.1:5432") // on the clipboard, by its arguments or not
	action("Show log")
	noted("holdfast logs tunnel11")
	action("Edit…")
	noted("holdfast edit tunnel11")
	action("Start at login")
	eventually(t, "Start=manual", func() bool {
		one, err := b.Tunnel(t.Context(), "tunnel11")
		return err == nil && one.StartMode == tunnelfile.StartManual
	})
	action("Start")
	b.wait(t, "start tunnel11")
	action("Reconnect")
	b.wait(t, "reconnect tunnel11")
	action("Stop")
	b.wait(t, "stop tunnel11")

	for _, name := range []string{"tunnel00", "tunnel01"} { // only one needs somebody from now on
		b.Put(tunnel(name, tunnelfile.Up, ""))
	}
	g.eval("Main.overview.hide(); true")
	typesElsewhere(t, b, g.typed, func() string { return g.eval("global.get_window_actors().map(a => a.meta_window.title)") },
		func() {
			g.picture("gnome-question.png")
			g.openMenu()
			g.clickRow("tunnel05")
			time.Sleep(grace)
			g.clickRow("Enter passphrase…")
		}, func() { g.picture("gnome-dialog.png") })
}

// typed types a text; "\n" is Return.
func (g gnome) typed(text string) {
	g.Helper()
	for _, r := range text {
		if r == '\n' {
			r = 0xff0d
		}
		g.eval(fmt.Sprintf("hf.key(%d); true", r))
	}
}
