//go:build cgo && screenshots

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

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// panelConfig is a panel that holds the notification area and a clock.
const panelConfig = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="%t"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="icon-size" type="uint" value="0"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
`

// TestScreenshots makes the pictures of docs/images: a real panel, the real tray, and
// tunnels made of memory.
func TestScreenshots(t *testing.T) {
	need(t, "xfce4-panel", "xfwm4", "xdotool", "import", "convert", "dunst", "zenity")
	out, err := filepath.Abs("../../docs/images")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dark := range []bool{true, false} {
		t.Run(map[bool]string{true: "dark", false: "light"}[dark], func(t *testing.T) { picture(t, out, dark) })
	}
	tool(t, "convert", out+"/icons-dark.png", out+"/icons-light.png", "-append", out+"/icons.png")
	for _, name := range []string{"icons-dark.png", "icons-light.png"} {
		_ = os.Remove(filepath.Join(out, name))
	}
}

func picture(t *testing.T, out string, dark bool) {
	b := desktop(t, dark)
	db, signal, backup, work := posed()
	for _, tunnel := range []listing.Tunnel{db, signal} {
		b.Put(tunnel)
	}
	launch(t)
	settle()

	var strip []string
	shot := func(name string, crop string) {
		file := filepath.Join(out, name+".png")
		tool(t, "import", "-window", "root", file)
		tool(t, "convert", file, "-crop", crop, "+repage", "-strip", file)
	}
	for _, state := range []struct {
		name   string
		change func()
	}{
		{"up", func() {}},
		{"working", func() { b.Put(backup) }},
		{"offline", func() { b.Put(tunnel("backup", tunnelfile.Offline, "no network")) }},
		{"attention", func() { b.Put(work) }},
		{"idle", func() {
			for _, name := range []string{"db", "signald", "backup", "work"} {
				b.Put(tunnel(name, tunnelfile.Inactive, ""))
			}
		}},
	} {
		state.change()
		settle()
		shot("part-"+state.name, "64x30+0+0")
		strip = append(strip, filepath.Join(out, "part-"+state.name+".png"))
	}
	name := filepath.Join(out, "icons-"+map[bool]string{true: "dark", false: "light"}[dark]+".png")
	tool(t, "convert", append(strip, "+append", "-scale", "200%", name)...)
	for _, part := range strip {
		_ = os.Remove(part)
	}
	if dark {
		return
	}

	for _, tunnel := range []listing.Tunnel{db, signal, backup} {
		b.Put(tunnel)
	}
	b.Put(work)
	settle()
	shot("notification", "372x92+628+33")
	openMenu(t)
	shot("menu", "250x265+0+0")
	point(t, "60", "148")               // db
	time.Sleep(2500 * time.Millisecond) // the numbers of the traffic come
	shot("submenu", "620x345+0+0")
	tool(t, "xdotool", "key", "Escape", "key", "Escape", "key", "Escape")

	answer := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		text, err := apitest.Dial(t).Ask(ctx, "work", "passphrase", "Enter passphrase for key '/home/me/.ssh/id_ed25519': ", false)
		if err != nil {
			text = err.Error()
		}
		answer <- text
	}()
	openMenu(t)
	point(t, "60", "98") // work
	settle()
	point(t, "330", "148") // Enter passphrase…
	settle()
	tool(t, "xdotool", "type", "correct horse")
	settle()
	shot("passphrase", "460x230+270+218")
	tool(t, "xdotool", "key", "Return")
	if got := <-answer; got != "correct horse" {
		t.Errorf("the dialog brought %q", got)
	}
}

// openMenu opens the tray's menu, which is at the left end of the panel.
func openMenu(t *testing.T) {
	t.Helper()
	tool(t, "xdotool", "mousemove", "15", "15", "click", "3")
	settle()
}

// point goes to a line of the open menu, and clicks it.
func point(t *testing.T, x, y string) {
	t.Helper()
	tool(t, "xdotool", "mousemove", x, y)
	time.Sleep(300 * time.Millisecond) // a submenu opens where the pointer stays
	tool(t, "xdotool", "mousemove_relative", "2", "1", "click", "1")
}

// settle waits for what is drawn, which nobody announces.
func settle() { time.Sleep(1500 * time.Millisecond) }

// desktop is a session with a window manager, a panel and a notification server.
func desktop(t *testing.T, dark bool) *backend {
	t.Helper()
	build(t)
	dir, err := os.MkdirTemp("", "hfs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, value := range map[string]string{"XDG_RUNTIME_DIR": dir, "HOME": dir, "XDG_CONFIG_HOME": dir + "/config", "XDG_CACHE_HOME": dir + "/cache",
		"WAYLAND_DISPLAY": "", "SSH_ASKPASS": "", "TZ": "UTC", "XDG_CURRENT_DESKTOP": "XFCE", "NO_AT_BRIDGE": "1", "GTK_A11Y": "none"} {
		t.Setenv(name, value)
	}
	config := filepath.Join(dir, "config/xfce4/xfconf/xfce-perchannel-xml")
	if err := os.MkdirAll(config, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "xfce4-panel.xml"), fmt.Appendf(nil, panelConfig, dark), 0o644); err != nil {
		t.Fatal(err)
	}
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address=unix:path="+filepath.Join(dir, "bus"))
	stdout, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen(t)
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bus.Process.Kill()
		_ = bus.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	windowManager(t)
	icons, err := filepath.Abs("../../packaging/icons")
	if err != nil {
		t.Fatal(err)
	}
	notify := filepath.Join(dir, "dunstrc")
	if err := os.WriteFile(notify, []byte(strings.ReplaceAll(dunstConfig, "@icons@", icons)), 0o644); err != nil {
		t.Fatal(err)
	}
	background(t, "dunst", "-conf", notify)
	background(t, "xfce4-panel", "--disable-wm-check")
	conn := apitest.Connect(t)
	eventually(t, "a panel", func() bool {
		var there bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&there)
		return err == nil && there
	})
	settle()
	tool(t, "xsetroot", "-solid", map[bool]string{true: "#3b4252", false: "#d8dee9"}[dark])
	b := &backend{Backend: apitest.NewBackend()}
	apitest.Serve(t, b)
	return b
}
