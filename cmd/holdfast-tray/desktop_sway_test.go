//go:build cgo && testbed

package main

import (
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tunnelfile"
)

// swayConfig has no decoration, and windows that float as dialogs do.
const swayConfig = `output HEADLESS-1 resolution 1366x768 bg #3b4252 solid_color
for_window [title="Holdfast.*"] floating enable
for_window [title="Elsewhere"] floating enable
`

// waybarConfig is a bar with what shows icons.
const waybarConfig = `{"layer": "top", "height": 30, "modules-right": ["tray"], "tray": {"icon-size": 22, "spacing": 8}}`

// sway is a window manager for Wayland without a screen, with waybar and dunst.
type sway struct {
	*testing.T
	looker
	pointer *pointer
	dir     string
	bar     *exec.Cmd
}

// startSway starts one.
func startSway(t *testing.T) *sway {
	t.Helper()
	s := &sway{T: t, looker: looker{"grim", "-t", "png", "-"}, dir: t.TempDir()}
	for file, text := range map[string]string{"sway": swayConfig, "waybar": waybarConfig, "style.css": "* { font-family: DejaVu Sans; font-size: 13px; }\n",
		"dunst": strings.ReplaceAll(dunstConfig, "@icons@", "/usr/share/icons")} {
		if err := os.WriteFile(filepath.Join(s.dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"XDG_CURRENT_DESKTOP": "sway", "XDG_SESSION_TYPE": "wayland", "WLR_BACKENDS": "headless",
		"WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman", "DISPLAY": "", "WAYLAND_DISPLAY": "", "SWAYSOCK": ""} {
		t.Setenv(name, value)
		if value == "" {
			os.Unsetenv(name)
		}
	}
	background(t, "sway", "-c", filepath.Join(s.dir, "sway"))
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	eventually(t, "sway", func() bool {
		sockets, _ := filepath.Glob(runtime + "/sway-ipc.*.sock")
		screens, _ := filepath.Glob(runtime + "/wayland-?")
		if len(sockets) == 0 || len(screens) == 0 {
			return false
		}
		os.Setenv("SWAYSOCK", sockets[0])
		os.Setenv("WAYLAND_DISPLAY", filepath.Base(screens[0]))
		return exec.Command("swaymsg", "-t", "get_outputs").Run() == nil
	})
	background(t, "dunst", "-conf", filepath.Join(s.dir, "dunst"))
	s.pointer = newPointer(t)
	s.startBar()
	return s
}

// startBar starts waybar, and waits until it shows icons.
func (s *sway) startBar() {
	s.Helper()
	s.bar = background(s, "waybar", "-c", filepath.Join(s.dir, "waybar"), "-s", filepath.Join(s.dir, "style.css"))
	conn := apitest.Connect(s)
	defer conn.Close()
	eventually(s, "a bar", func() bool {
		var there bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&there)
		return err == nil && there
	})
	time.Sleep(2 * time.Second) // it is drawn
}

func (s *sway) point(x, y int) { s.pointer.move(x, y, 1366, 768) }

func (s *sway) click(x, y int, button uint32) {
	s.point(x, y)
	s.pointer.click(button)
}

// The buttons of a mouse, see linux/input-event-codes.h.
const (
	left  = 0x110
	right = 0x111
)

// windows is sway's tree, in which titles stand.
func (s *sway) windows() string {
	out, _ := exec.Command("swaymsg", "-t", "get_tree", "-r").Output()
	return string(out)
}

// adwaitaRows is how GTK's menus are laid out here.
var adwaitaRows = rowHeights{above: 5, row: 25, separator: 1}

func (s *sway) choose(i item, icon image.Rectangle, picture string, labels ...string) {
	s.Helper()
	chooseByPointer(s.T, s.looker, image.Rect(0, 0, 1366, 768), i, adwaitaRows, picture, labels, func() {
		s.click(icon.Min.X+icon.Dx()/2, icon.Min.Y+icon.Dy()/2, right)
	}, func() {
		s.click(200, 700, left)
		s.point(icon.Min.X, icon.Max.Y) // pictures have the pointer in them
	}, s.point, func(x, y int) { s.click(x, y, left) })
}

// TestDesktopSway has the tray in sway, with waybar and dunst.
func TestDesktopSway(t *testing.T) {
	b := realDesktop(t, "sway", "waybar", "dunst", "grim", "zenity")
	noted := notedPrograms(t)
	s := startSway(t)
	for n := range 12 {
		b.Put(tunnel(fmt.Sprintf("tunnel%02d", n), tunnelfile.Up, ""))
	}
	start(t, traySeen)
	icon := iconIn(t, b, s.looker, image.Rect(0, 0, 1366, 30))
	t.Logf("icon: %v", icon)
	i := registeredIcon(t)
	s.choose(i, icon, "sway", "tunnel00 – up", "Show log")
	noted("holdfast logs tunnel00")
	s.choose(i, icon, "", "All tunnels", "All down")
	b.wait(t, "stop")

	b.Put(blocked("tunnel00"))
	time.Sleep(2 * time.Second)
	s.picture(t, "sway-notification.png")
	b.Put(tunnel("tunnel00", tunnelfile.Inactive, "")) // the notification goes
	time.Sleep(2 * time.Second)

	// A bar that is killed gets the icon back with no change of a tunnel.
	before := s.look(t)
	_ = s.bar.Process.Kill()
	_ = s.bar.Wait()
	s.startBar()
	iconIsBack(t, s.looker, before, icon)
	s.picture(t, "sway-restarted.png")
	i = registeredIcon(t)

	answer := make(chan bool, 1)
	go func() {
		yes, _ := apitest.Dial(t).Confirm(t.Context(), "tunnel06", "hostkey", hostKeyQuestion)
		answer <- yes
	}()
	eventually(t, "a question", func() bool { _, ok := find(i.menu(t), "tunnel06 – needs you"); return ok })
	time.Sleep(2 * time.Second)
	s.picture(t, "sway-question.png")
	if strings.Contains(s.windows(), "Holdfast: tunnel06") {
		t.Error("a dialog that nobody called for")
	}
	s.choose(i, icon, "sway-attention", "Review host key…")
	eventually(t, "the dialog", func() bool { return strings.Contains(s.windows(), "Holdfast: tunnel06") })
	time.Sleep(time.Second)
	s.picture(t, "sway-hostkey.png")
	if !straightLines(s.look(t), image.Rect(200, 100, 1166, 700)) {
		t.Error("the picture of the host key is crooked")
	}
	tool(t, "swaymsg", `[title="Holdfast: tunnel06"]`, "kill")
	if <-answer {
		t.Error("a closed window was taken for a yes")
	}
}
