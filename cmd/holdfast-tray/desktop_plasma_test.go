//go:build cgo && testbed

package main

import (
	"fmt"
	"image"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// plasma is KDE's desktop on an X server without a screen.
type plasma struct {
	*testing.T
	looker
	panel image.Rectangle // without the clock
	quiet image.Image     // what is on the screen besides windows, menus and notifications
	shell *exec.Cmd
}

var aboveThePanel = image.Rect(0, 0, 1366, 720)

// startPlasma starts one with a screen of 1366×768 and the panel that new users have.
func startPlasma(t *testing.T) *plasma {
	t.Helper()
	for name, value := range map[string]string{"XDG_CURRENT_DESKTOP": "KDE", "KDE_FULL_SESSION": "true", "KDE_SESSION_VERSION": "5", "XDG_SESSION_TYPE": "x11",
		"QT_QUICK_BACKEND": "software", "QT_XCB_GL_INTEGRATION": "none"} {
		t.Setenv(name, value)
	}
	os.Unsetenv("WAYLAND_DISPLAY")
	screenOf(t, "1366x768x24")
	// What plasmashell waits for is started by the user manager.
	tool(t, "systemctl", "--user", "import-environment", "DISPLAY", "XDG_CURRENT_DESKTOP", "KDE_FULL_SESSION", "KDE_SESSION_VERSION",
		"QT_QUICK_BACKEND", "QT_XCB_GL_INTEGRATION", "LIBGL_ALWAYS_SOFTWARE")
	tool(t, "kbuildsycoca5")
	background(t, "kwin_x11")
	background(t, "kded5")
	p := &plasma{T: t, looker: looker{"import", "-window", "root", "png:-"}, panel: image.Rect(600, 726, 1215, 768)}
	p.startShell()
	return p
}

// startShell starts the panel and what draws notifications, and waits until they are there.
func (p *plasma) startShell() {
	p.Helper()
	p.shell = background(p, "plasmashell", "--no-respawn")
	eventually(p, "a panel", func() bool {
		out, err := exec.Command("busctl", "--user", "--timeout=5", "call", "org.kde.plasmashell", "/PlasmaShell", "org.kde.PlasmaShell", "evaluateScript", "s", "print(panels().length)").Output()
		return err == nil && strings.Contains(string(out), `"1`)
	})
	time.Sleep(3 * time.Second) // it is drawn
	p.quiet = p.look(p.T)
}

// killShell kills the panel.
func (p *plasma) killShell() {
	_ = p.shell.Process.Kill()
	_ = p.shell.Wait()
}

func (p *plasma) click(x, y int, button string) {
	p.Helper()
	tool(p.T, "xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y), "click", button)
}

func (p *plasma) point(x, y int) {
	p.Helper()
	tool(p.T, "xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(y))
}

func (p *plasma) keys(names ...string) {
	p.Helper()
	for _, name := range names {
		tool(p.T, "xdotool", "key", name)
		time.Sleep(150 * time.Millisecond) // the menu follows
	}
}

func (p *plasma) typed(text string) {
	p.Helper()
	line, ended := strings.CutSuffix(text, "\n")
	if line != "" {
		tool(p.T, "xdotool", "type", "--delay", "20", line)
	}
	if ended {
		tool(p.T, "xdotool", "key", "Return")
	}
}

// windows is the titles of the windows that are seen.
func (p *plasma) windows() string {
	var titles []string
	out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--name", ".").Output()
	for _, id := range strings.Fields(string(out)) {
		title, _ := exec.Command("xdotool", "getwindowname", id).Output()
		titles = append(titles, string(title))
	}
	return strings.Join(titles, "")
}

// breezeRows is how KDE's menus are laid out.
var breezeRows = rowHeights{above: 2, row: 26, separator: 7}

// choose opens the icon's menu and clicks a row, and one of its submenu.
func (p *plasma) choose(i item, icon image.Rectangle, picture string, labels ...string) {
	p.Helper()
	// Notifications go by themselves, after five seconds.
	eventually(p, "a screen with nothing on it", func() bool { return difference(p.quiet, p.look(p.T), aboveThePanel).Empty() })
	chooseByPointer(p.T, p.looker, aboveThePanel, i, breezeRows, picture, labels, func() {
		p.click(icon.Min.X+icon.Dx()/2, icon.Min.Y+icon.Dy()/2, "3")
	}, func() { p.keys("Escape", "Escape", "Escape") }, p.point, func(x, y int) { p.click(x, y, "1") })
}

// notification waits for one, and clicks its first button, which is left of Mute, until that
// is done what it is for.
func (p *plasma) notification(picture string, done func() bool) {
	p.Helper()
	p.point(1160, 660) // one under the pointer stays
	var box image.Rectangle
	eventually(p, "a notification", func() bool {
		before := box
		time.Sleep(300 * time.Millisecond) // it slides in
		box = difference(p.quiet, p.look(p.T), image.Rect(800, 400, 1366, 720))
		return box == before && box.Dx() > 200 && box.Dy() > 60
	})
	p.picture(p.T, picture)
	eventually(p, "what the button does", func() bool {
		p.click(box.Max.X-130, box.Max.Y-20, "1")
		time.Sleep(time.Second)
		return done()
	})
}

// TestDesktopPlasma has the tray on KDE: its icon, menu, dialogs and notifications, a panel that is
// killed, and letters typed while a question comes in.
func TestDesktopPlasma(t *testing.T) {
	b := realDesktop(t, "plasmashell", "kwin_x11", "kdialog", "xdotool", "import")
	noted := notedPrograms(t)
	p := startPlasma(t)
	for n := range 12 {
		b.Put(tunnel(fmt.Sprintf("tunnel%02d", n), tunnelfile.Up, ""))
	}
	start(t, traySeen)
	icon := iconIn(t, b, p.looker, p.panel)
	t.Logf("icon: %v", icon)
	i := registeredIcon(t)

	p.choose(i, icon, "plasma", "tunnel00 – up", "Show log")
	noted("holdfast logs tunnel00")
	p.choose(i, icon, "", "All tunnels", "All down")
	b.wait(t, "stop")

	b.Put(blocked("tunnel00"))
	p.notification("plasma-notification.png", func() bool { return b.was("reconnect tunnel00") })

	// A panel that is killed gets the icon back with no change of a tunnel.
	b.Put(tunnel("tunnel00", tunnelfile.Up, ""))
	time.Sleep(3 * time.Second) // for the drawing
	before := p.look(t)
	p.killShell()
	p.startShell()
	iconIsBack(t, p.looker, before, icon)
	p.picture(t, "plasma-restarted.png")

	answer := make(chan bool, 1)
	go func() {
		yes, _ := apitest.Dial(t).Confirm(t.Context(), "tunnel06", "hostkey", hostKeyQuestion)
		answer <- yes
	}()
	p.notification("plasma-question.png", func() bool { return strings.Contains(p.windows(), "Holdfast: tunnel06") })
	time.Sleep(time.Second)
	p.picture(t, "plasma-hostkey.png")
	if !straightLines(p.look(t), windowPlace(t, "Holdfast: tunnel06.*")) {
		t.Error("the picture of the host key is crooked")
	}
	p.keys("Down", "Return")
	if !<-answer {
		t.Error("the key was not trusted")
	}

	typesElsewhere(t, b, p.typed, p.windows, func() {
		p.notification("plasma-passphrase.png", func() bool { return strings.Contains(p.windows(), "Holdfast: tunnel05") })
	}, func() { p.picture(t, "plasma-dialog.png") })
}

// blocked is a tunnel that needs a passphrase.
func blocked(name string) (t listing.Tunnel) {
	t = tunnel(name, tunnelfile.Blocked, "needs a passphrase for ~/.ssh/id_ed25519")
	t.Reason = fault.Passphrase
	return t
}

// registeredIcon is the tray's icon as the desktop's own watcher knows it.
func registeredIcon(t *testing.T) item {
	t.Helper()
	conn := apitest.Connect(t)
	var i item
	eventually(t, "a registered icon", func() bool {
		v, err := conn.Object(watcherName, "/StatusNotifierWatcher").GetProperty(watcherName + ".RegisteredStatusNotifierItems")
		if err != nil {
			return false
		}
		for _, service := range v.Value().([]string) {
			name, path, _ := strings.Cut(service, "/")
			found := item{conn, name, dbus.ObjectPath("/" + path)}
			if id, err := found.property(t.Context(), "Id"); err == nil && id.Value() == "holdfast" {
				i = found
				return true
			}
		}
		return false
	})
	return i
}

// windowPlace is where a window is.
func windowPlace(t *testing.T, title string) image.Rectangle {
	t.Helper()
	found := windows(title)
	if len(found) == 0 {
		t.Fatalf("no window %q", title)
	}
	out, err := exec.Command("xdotool", "getwindowgeometry", "--shell", found[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		n[name], _ = strconv.Atoi(value)
	}
	return image.Rect(n["X"], n["Y"], n["X"]+n["WIDTH"], n["Y"]+n["HEIGHT"])
}
