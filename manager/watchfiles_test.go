package manager

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/filewatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

// watched is a watch of two directories that do not exist yet, one deep.
type watched struct {
	*testing.T
	a, b    string
	changed chan struct{}
}

func newWatched(t *testing.T) *watched {
	dir := t.TempDir()
	w := &watched{t, filepath.Join(dir, "config", "holdfast"), filepath.Join(dir, "etc"), make(chan struct{})}
	go filewatch.Watch(t.Context(), slog.Default(), tunnelFiles(tunnelfile.Dirs{w.a, w.b}), w.changed)
	w.told("the beginning")
	return w
}

func (w *watched) told(of string) {
	w.Helper()
	select {
	case <-w.changed:
	case <-time.After(10 * time.Second):
		w.Fatalf("not told of %s", of)
	}
}

func (w *watched) do(what string, errs ...error) {
	w.Helper()
	if err := errors.Join(errs...); err != nil {
		w.Fatal(err)
	}
	w.told(what)
}

func TestWatchFiles(t *testing.T) {
	w := newWatched(t)
	write := func(path string) error { return os.WriteFile(path, []byte(time.Now().String()), 0o644) }
	w.do("a folder that appears", os.MkdirAll(w.a, 0o755))
	web := filepath.Join(w.a, "web.tunnel")
	w.do("a new file", write(web))
	w.do("a changed file", write(web))
	w.do("an editor's rename", write(web+"~"), os.Rename(web+"~", web))
	w.do("a new folder of drop-ins", os.Mkdir(web+".d", 0o755))
	w.do("a drop-in", write(filepath.Join(web+".d", "x.conf")))
	w.do("a drop-in that goes", os.Remove(filepath.Join(web+".d", "x.conf")))
	w.do("permissions", os.Chmod(web, 0o600))
	w.do("the other folder", os.Mkdir(w.b, 0o755))
	w.do("a file there", write(filepath.Join(w.b, "db.tunnel")))
	w.do("a file that goes", os.Remove(web))
	w.do("a folder that goes", os.RemoveAll(filepath.Dir(w.a)))
	w.do("a folder that comes back", os.MkdirAll(w.a, 0o755))
	w.do("a file in it", write(web))
}

// TestWatchManyFiles shows that many changes at once are told of few times, and the last of them too.
func TestWatchManyFiles(t *testing.T) {
	w := newWatched(t)
	w.do("the folder", os.MkdirAll(w.a, 0o755))
	done := make(chan error, 1)
	go func() {
		for i := range 1000 {
			name := filepath.Join(w.a, strings.Repeat("x", i%50+1)+".tunnel")
			if err := os.WriteFile(name, []byte{byte(i)}, 0o644); err != nil {
				done <- err
				return
			}
		}
		done <- os.WriteFile(filepath.Join(w.a, "last.tunnel"), nil, 0o644)
	}()
	tells := 0
	for {
		w.told("the last file")
		tells++
		if _, err := os.Stat(filepath.Join(w.a, "last.tunnel")); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if tells > 20 {
		t.Errorf("told %d times", tells)
	}
}

// TestWatchLinks shows that a tunnel file behind links is watched, and each link on the way:
// as stow(8) has folders, home-manager files, and a ConfigMap both.
func TestWatchLinks(t *testing.T) {
	w := newWatched(t)
	base := filepath.Dir(filepath.Dir(w.a))
	at := func(names ...string) string { return filepath.Join(append([]string{base}, names...)...) }
	write := func(path string) error { return os.WriteFile(path, []byte(time.Now().String()), 0o644) }
	relink := func(target, path string) error {
		return errors.Join(os.Symlink(target, path+".new"), os.Rename(path+".new", path))
	}
	for _, dir := range []string{"dotfiles", "other", "store/1", "store/2", "config"} {
		if err := os.MkdirAll(at(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.do("a folder that is a link", os.Symlink("../dotfiles", w.a))
	w.do("a file in it", write(at("dotfiles", "db.tunnel")))
	w.do("a changed file in it", write(at("dotfiles", "db.tunnel")))

	if err := errors.Join(write(at("store/1/web.tunnel")), write(at("store/2/web.tunnel")), os.Symlink("1", at("store/now"))); err != nil {
		t.Fatal(err)
	}
	w.do("a file that is a link", os.Symlink(at("store/now/web.tunnel"), filepath.Join(w.a, "web.tunnel")))
	w.do("a changed file behind it", write(at("store/1/web.tunnel")))
	w.do("a file put in its place", write(at("store/1/x")), os.Rename(at("store/1/x"), at("store/1/web.tunnel")))
	w.do("a link on the way that leads elsewhere", relink("2", at("store/now")))
	w.do("a changed file there", write(at("store/2/web.tunnel")))
	w.do("a file that goes", os.Remove(at("store/2/web.tunnel")))
	w.do("a file that comes back", write(at("store/2/web.tunnel")))

	w.do("drop-ins behind a link", os.Mkdir(at("store/d"), 0o755), os.Symlink(at("store/d"), filepath.Join(w.a, "web.tunnel.d")))
	w.do("a drop-in", write(at("store/d/a.conf")))
	w.do("a drop-in that is a link", write(at("other/b")), os.Symlink(at("other/b"), at("store/d/b.conf")))
	w.do("a changed drop-in behind it", write(at("other/b")))
	w.do("the folder's link leads elsewhere", relink("../other", w.a))
	w.do("a file there", write(at("other", "new.tunnel")))
}
