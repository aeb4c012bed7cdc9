//go:build cgo && testbed

package main

import (
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
)

// TestPicturesOfDesktops makes the pictures of real desktops for docs/images, which make screenshots
// takes from bin/desktops.
func TestPicturesOfDesktops(t *testing.T) {
	t.Run("GNOME", func(t *testing.T) {
		b := realDesktop(t, "gnome-shell", "gsettings", "convert")
		g := startGNOME(t, "1280x800")
		pose(b)
		start(t, traySeen)
		g.openMenu()
		g.clickRow("db")
		time.Sleep(2500 * time.Millisecond) // the numbers of the traffic come
		g.picture("pictures-gnome.png")
		var menu rectangle
		if err := json.Unmarshal([]byte(g.eval("hf.place(hf.icon().menu.actor)")), &menu); err != nil {
			t.Fatal(err)
		}
		small(t, "pictures-gnome.png", "tray-gnome.png", image.Rect(int(menu.X)-20, 0, 1280, int(menu.Y+menu.H)+15))
	})
	t.Run("Plasma", func(t *testing.T) {
		b := realDesktop(t, "plasmashell", "kwin_x11", "xdotool", "import", "convert")
		noted := notedPrograms(t)
		state := filepath.Join(t.TempDir(), "holdfast")
		t.Setenv("XDG_STATE_HOME", filepath.Dir(state))
		if err := os.Mkdir(state, 0o700); err != nil {
			t.Fatal(err)
		}
		// Notifications would come in between.
		if err := os.WriteFile(filepath.Join(state, "tray.json"), []byte(`{"muted": {"work": true, "backup": true}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		p := startPlasma(t)
		start(t, traySeen)
		icon := iconIn(t, b, p.looker, p.panel)
		_ = b.RemoveTunnel(t.Context(), "tunnel07") // iconIn's
		pose(b)
		p.choose(registeredIcon(t), icon, "pictures-plasma", "db – up", "Show log")
		noted("holdfast logs db")
		small(t, "pictures-plasma-submenu.png", "tray-plasma.png", image.Rect(icon.Min.X-400, 430, 1366, 768))
	})
}

// pose has the daemon show what pictures are of.
func pose(b *backend) {
	db, signal, backup, work := posed()
	for _, one := range []listing.Tunnel{db, signal, backup, work} {
		b.Put(one)
	}
}

// small cuts a part out of a picture, and makes a small file of it.
func small(t *testing.T, from, to string, part image.Rectangle) {
	t.Helper()
	dir := picturesIn(t)
	tool(t, "convert", filepath.Join(dir, from), "-crop", fmt.Sprintf("%dx%d+%d+%d", part.Dx(), part.Dy(), part.Min.X, part.Min.Y),
		"+repage", "-strip", "-dither", "none", "-colors", "200", "png8:"+filepath.Join(dir, to))
	if info, err := os.Stat(filepath.Join(dir, to)); err != nil || info.Size() > 150<<10 {
		t.Errorf("%s: %v, too large for a page", to, err)
	}
}
