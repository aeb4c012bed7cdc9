//go:build cgo && testbed

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// realDesktop skips a test unless make test-desktops runs it, and gives it a daemon of memory and
// a tray.
func realDesktop(t *testing.T, tools ...string) *backend {
	t.Helper()
	testbed.NeedBox(t)
	if os.Getenv("HOLDFAST_DESKTOPS") == "" {
		t.Skip("make test-desktops runs it")
	}
	testbed.Need(t, tools...)
	for name, value := range map[string]string{"SSH_ASKPASS": "", "TZ": "UTC", "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1",
		"PATH": os.Getenv("PATH") + ":/usr/games"} {
		t.Setenv(name, value)
	}
	tool(t, "../../packaging/install", filepath.Join(os.Getenv("HOME"), ".local")) // its icon is on notifications
	b := &backend{Backend: apitest.NewBackend()}
	apitest.Serve(t, b)
	return b
}

// picturesIn is the folder for pictures of a real desktop.
func picturesIn(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin/desktops")
	if err != nil {
		t.Fatal(err)
	}
	if own := os.Getenv("HOLDFAST_DESKTOPS"); strings.HasPrefix(own, "/") {
		dir = own
	}
	return dir
}

func keepPicture(t *testing.T, file, name string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(picturesIn(t), name), b, 0o644)
	}
	if err != nil {
		t.Logf("no picture: %v", err)
	}
}

// twelve puts twelve tunnels: two that need somebody, six that run, four that do not.
func twelve(b *backend) {
	for i := range 12 {
		state := tunnelfile.Up
		if i >= 8 {
			state = tunnelfile.Inactive
		}
		one := tunnel(fmt.Sprintf("tunnel%02d", i), state, "")
		one.Forwards = append(one.Forwards, tunnelfile.ForwardReport{Kind: tunnelfile.LocalForward, Listen: "localhost:8080", Target: "wiki:80", State: state})
		if i < 2 {
			one.State, one.Status, one.Reason = tunnelfile.Blocked, "needs a passphrase for ~/.ssh/id_ed25519", fault.Passphrase
		}
		b.Put(one)
	}
}

// traySeen is the tray that run-tests has built.
const traySeen = "../../bin/tests/holdfast-tray"

func snapshotOf(t *testing.T, b *backend) dbusapi.Snapshot {
	t.Helper()
	tunnels, err := b.Tunnels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dbusapi.Snapshot{Running: true, Tunnels: tunnels}
}

// typesElsewhere types forty letters into a window of another program while a question comes in,
// and then has the question answered.
func typesElsewhere(t *testing.T, b *backend, typed func(string), windows func() string, call, shown func()) {
	t.Helper()
	elsewhere := exec.Command("zenity", "--entry", "--title", "Elsewhere", "--text", "A letter")
	out, err := elsewhere.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = elsewhere.Process.Kill() })
	eventually(t, "a window elsewhere", func() bool { return strings.Contains(windows(), "Elsewhere") })
	time.Sleep(time.Second) // it gets the keyboard
	const letters = "abcdefghijklmnopqrstabcdefghijklmnopqrst"
	typed(letters[:5])
	answer := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		text, err := apitest.Dial(t).Ask(ctx, "tunnel05", "passphrase", "Enter passphrase for key '/home/me/.ssh/id_ed25519': ", false)
		if err != nil {
			text = err.Error()
		}
		answer <- text
	}()
	typed(letters[5:20])
	time.Sleep(time.Second) // for a dialog to come up
	typed(letters[20:])
	if open := windows(); strings.Contains(open, "Holdfast: ") {
		t.Errorf("a dialog that nobody called for: %s", open)
	}
	typed("\n")
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line = strings.TrimSpace(line); line != letters {
		t.Errorf("elsewhere %d letters arrived: %q", len(line), line)
	}
	_ = elsewhere.Wait()
	call()
	eventually(t, "the dialog", func() bool { return strings.Contains(windows(), "Holdfast: tunnel05") })
	time.Sleep(time.Second) // it gets the keyboard
	shown()
	typed("secret\n")
	if got := <-answer; got != "secret" {
		t.Errorf("the dialog brought %q", got)
	}
}

// notedPrograms are a terminal and others that note what they are asked.
func notedPrograms(t *testing.T) func(want string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"xdg-terminal-exec", "xdg-open", "wl-copy", "xclip"} {
		script := "#!/bin/sh\nprintf '%s ' " + name + " \"$@\" >>" + dir + "/noted\ncase " + name + " in wl-copy|xclip) cat >>" + dir + "/noted ;; esac\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("TERMINAL", "")
	return func(want string) {
		t.Helper()
		eventually(t, "a program: "+want, func() bool {
			got, _ := os.ReadFile(dir + "/noted")
			return strings.Contains(string(got), want)
		})
		_ = os.Remove(dir + "/noted")
	}
}

// looker is what takes a picture of a screen.
type looker []string

// look is what is on the screen.
func (l looker) look(t *testing.T) image.Image {
	t.Helper()
	out, err := exec.Command(l[0], l[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v", l, err)
	}
	seen, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("%v: %v", l, err)
	}
	return seen
}

// picture saves what is on the screen.
func (l looker) picture(t *testing.T, name string) {
	t.Helper()
	out, err := exec.Command(l[0], l[1:]...).Output()
	if err == nil {
		err = os.WriteFile(filepath.Join(picturesIn(t), name), out, 0o644)
	}
	if err != nil {
		t.Logf("no picture: %v", err)
	}
}

// difference is the smallest rectangle with all that differs between two pictures, within another.
func difference(a, b image.Image, within image.Rectangle) image.Rectangle {
	var all image.Rectangle
	for y := within.Min.Y; y < within.Max.Y; y++ {
		for x := within.Min.X; x < within.Max.X; x++ {
			if a.At(x, y) != b.At(x, y) {
				all = all.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return all
}

// iconIn finds the icon in a panel: it is what changes with the state of a tunnel. It is there
// with its drawings when this returns.
func iconIn(t *testing.T, b *backend, l looker, panel image.Rectangle) image.Rectangle {
	t.Helper()
	one := tunnel("tunnel07", tunnelfile.Up, "")
	b.Put(one)
	time.Sleep(2 * time.Second) // for the drawing
	before := l.look(t)
	b.Put(tunnel("tunnel07", tunnelfile.Retrying, "in 8 s"))
	var icon image.Rectangle
	eventually(t, "an icon that changes", func() bool {
		found := difference(before, l.look(t), panel)
		same := found == icon && !found.Empty()
		icon = found
		return same
	})
	if icon.Dx() > 40 || icon.Dy() > 40 {
		t.Errorf("what changes in the panel is no icon: %v", icon)
	}
	b.Put(one)
	eventually(t, "the former drawing", func() bool { return difference(before, l.look(t), icon).Empty() })
	return icon
}

// iconIsBack waits until the icon is drawn as before, without any change of a tunnel.
func iconIsBack(t *testing.T, l looker, before image.Image, icon image.Rectangle) {
	t.Helper()
	eventually(t, "the icon in the next panel", func() bool { return difference(before, l.look(t), icon).Empty() })
}

// hostKeyQuestion is a question with the picture of a host key.
const hostKeyQuestion = `The authenticity of host 'db.example.com (198.51.100.7)' can't be established.
ED25519 key fingerprint is SHA256:iJmLSjLm3jyJPJCHNOWBjR9KIoTXrmZXAhtHuDMZRuM.
+--[ED25519 256]--+
|      ...oo.     |
|     . o.o.o     |
|      + = B      |
|     o + X +     |
|    . = S O .    |
|     + = O = .   |
|    . B B + o    |
|     E * = .     |
|      o.=+o      |
+----[SHA256]-----+
Are you sure you want to continue connecting (yes/no)?`

// straightLines says whether a picture has the two sides of a host key's picture as upright lines:
// they are where each letter is as wide as all others.
func straightLines(seen image.Image, within image.Rectangle) bool {
	var columns []int
	for x := within.Min.X; x < within.Max.X; x++ {
		dark := 0
		for y := within.Min.Y; y < within.Max.Y; y++ {
			if r, g, b, _ := seen.At(x, y).RGBA(); r+g+b < 3*0x7000 {
				dark++
			}
		}
		if dark >= 80 { // of 9 lines of 17 pixels
			columns = append(columns, x)
		}
	}
	return len(columns) >= 2 && columns[len(columns)-1]-columns[0] > 80
}

// rowHeights is how a toolkit lays out a menu, in pixels.
type rowHeights struct{ above, row, separator int }

// middle is the middle of the row with this label, from the top of the menu.
func (h rowHeights) middle(nodes []node, label string) (int, bool) {
	y := h.above
	for _, n := range nodes {
		switch {
		case n.Kind == tray.Separator:
			y += h.separator
		case strings.HasPrefix(n.Label, label):
			return y + h.row/2, true
		default:
			y += h.row
		}
	}
	return 0, false
}

// chooseByPointer opens the icon's menu and clicks a row, and one of its submenu. Where these are
// is seen on the screen, in the part of it that is no panel.
func chooseByPointer(t *testing.T, l looker, room image.Rectangle, i item, h rowHeights, picture string, labels []string, open, closeAll func(), point, click func(x, y int)) {
	t.Helper()
	var menu image.Rectangle
	eventually(t, "the menu", func() bool {
		closeAll()
		time.Sleep(500 * time.Millisecond)
		closed := l.look(t)
		open()
		time.Sleep(time.Second)
		menu = difference(closed, l.look(t), room)
		return menu.Dy() > 100
	})
	if picture != "" {
		l.picture(t, picture+"-menu.png")
	}
	nodes := i.menu(t)
	for n, label := range labels {
		y, ok := h.middle(nodes, label)
		if !ok {
			t.Fatalf("no row %q", label)
		}
		time.Sleep(grace)
		before := l.look(t)
		click(menu.Min.X+20, menu.Min.Y+y)
		if n == len(labels)-1 {
			return
		}
		var submenu image.Rectangle
		eventually(t, "a submenu", func() bool {
			time.Sleep(time.Second)
			now := l.look(t)
			for _, beside := range []image.Rectangle{image.Rect(0, 0, menu.Min.X, room.Max.Y), image.Rect(menu.Max.X, 0, room.Max.X, room.Max.Y)} {
				if found := difference(before, now, beside); found.Dy() > 40 && found.Max.X < room.Max.X {
					submenu = found
					return true
				}
			}
			l.picture(t, "no-submenu.png") // to see why, where it stays so
			// Plasma opens a submenu beyond the edge of the screen at first.
			point(menu.Min.X+20, menu.Min.Y+h.above+h.row/2)
			time.Sleep(500 * time.Millisecond)
			click(menu.Min.X+20, menu.Min.Y+y)
			return false
		})
		if picture != "" {
			l.picture(t, picture+"-submenu.png")
		}
		below, _ := find(nodes, label)
		nodes, menu = below.Children, submenu
	}
}
