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
	go watchFiles(t.Context(), tunnelfile.Dirs{w.a, w.b}, slog.Default(), w.changed)
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

func TestConcerns(t *testing.T) {
	dirs := tunnelfile.Dirs{"/home/me/.config/holdfast", "/etc/holdfast/user"}
	for path, want := range map[string]bool{
		"/home/me/.config/holdfast/web.tunnel":          true,
		"/home/me/.config/holdfast/web.tunnel.d":        true,
		"/home/me/.config/holdfast/web.tunnel.d/a.conf": true,
		"/home/me/.config/holdfast/web.tunnel.d/a.txt":  false,
		"/home/me/.config/holdfast/.web.tunnel.swp":     false,
		"/home/me/.config/holdfast/web.tunnel~":         false,
		"/home/me/.config/holdfast":                     true,
		"/home/me/.config":                              true,
		"/home/me/.config/other":                        false,
		"/etc/holdfast":                                 true,
		"/etc/hold":                                     false,
		"/etc/passwd":                                   false,
	} {
		if concerns(dirs, path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

func TestNameOfFile(t *testing.T) {
	for path, want := range map[string]string{
		"/c/web.tunnel":           "web",
		"/c/web.tunnel.d/10.conf": "web",
		"/c/a.b-c_d.tunnel":       "a.b-c_d",
		"/c/.hidden.tunnel":       "",
		"/c/web.conf":             "",
		"/c":                      "",
		"":                        "",
	} {
		if got := nameOfFile(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
