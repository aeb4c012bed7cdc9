package manager

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Editors write a file in several steps, and people copy several files: changes are
// told when nothing has happened for quiet, and at the latest after patience.
const (
	quiet    = 50 * time.Millisecond
	patience = 500 * time.Millisecond
)

// watchFiles tells on changed when tunnel files may have changed, until the context
// ends. Directories that do not exist yet are seen when they come to be.
func watchFiles(ctx context.Context, dirs tunnelfile.Dirs, log *slog.Logger, changed chan<- struct{}) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changed tunnel files are only seen on Reload", "error", err)
		return
	}
	defer watcher.Close()
	rewatch(watcher, dirs, log)
	// What changed before the watch began was read before, or will be now.
	if !tell(ctx, changed) {
		return
	}
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	var since time.Time // of the first change not yet told
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-watcher.Events:
			if !ok {
				return
			}
			if !concerns(dirs, event.Name) {
				continue
			}
		case err := <-watcher.Errors:
			log.Warn("watching tunnel files", "error", err) // an overflow: anything may have changed
		case <-settled.C:
			since = time.Time{}
			rewatch(watcher, dirs, log)
			if !tell(ctx, changed) {
				return
			}
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		settled.Reset(min(quiet, time.Until(since.Add(patience))))
	}
}

func tell(ctx context.Context, changed chan<- struct{}) bool {
	select {
	case changed <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// concerns says whether a change at path may change what the directories hold.
func concerns(dirs tunnelfile.Dirs, path string) bool {
	for _, dir := range dirs {
		// The directory itself, or one above it, came or went.
		if path == dir || strings.HasPrefix(dir, path+string(filepath.Separator)) {
			return true
		}
	}
	base := strings.TrimSuffix(filepath.Base(path), ".d")
	switch {
	case slices.Contains(dirs, filepath.Dir(path)):
		return strings.HasSuffix(base, tunnelfile.Suffix)
	case slices.Contains(dirs, filepath.Dir(filepath.Dir(path))):
		return strings.HasSuffix(base, tunnelfile.DropInSuffix)
	}
	return false
}

// rewatch watches each directory and its NAME.tunnel.d folders, or, where it does not
// exist, the nearest one above it that does; and nothing else.
func rewatch(watcher *fsnotify.Watcher, dirs tunnelfile.Dirs, log *slog.Logger) {
	var want []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			want = append(want, nearest(dir))
			continue
		}
		want = append(want, dir)
		for _, e := range entries {
			if e.IsDir() && strings.HasSuffix(e.Name(), tunnelfile.Suffix+".d") {
				want = append(want, filepath.Join(dir, e.Name()))
			}
		}
	}
	have := watcher.WatchList()
	for _, path := range have {
		if !slices.Contains(want, path) {
			_ = watcher.Remove(path) // it may be gone already
		}
	}
	for _, path := range want {
		if !slices.Contains(have, path) {
			if err := watcher.Add(path); err != nil {
				log.Warn("changed tunnel files are only seen on Reload", "folder", path, "error", err)
			}
		}
	}
}

// nearest is the first existing folder above path.
func nearest(path string) string {
	for {
		above := filepath.Dir(path)
		if info, err := os.Stat(above); err == nil && info.IsDir() || above == path {
			return above
		}
		path = above
	}
}
