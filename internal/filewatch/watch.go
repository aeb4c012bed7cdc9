package filewatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Editors write a file in several steps, and people copy several files. So a change is announced when
// nothing more has happened for quiet, and at the latest after patience.
const (
	quiet    = 50 * time.Millisecond
	patience = 500 * time.Millisecond
)

// Watch sends to changed once at the beginning, and then whenever something in the set may have
// changed, until ctx ends. look fills the set. Watch calls it after each change, to include files
// that have appeared.
func Watch(ctx context.Context, log *slog.Logger, look func(*Set), changed chan<- struct{}) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changed files are not seen by themselves", "error", err)
		return
	}
	defer watcher.Close()
	set := rewatch(watcher, look, log)
	// Something may have changed before the watch began.
	if !send(ctx, changed) {
		return
	}
	debounced := time.NewTimer(time.Hour)
	debounced.Stop()
	var since time.Time // of the first change not yet sent
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-watcher.Events:
			if !ok {
				return
			}
			if !set.concerns(event.Name) {
				continue
			}
		case err := <-watcher.Errors:
			log.Warn("watching files", "error", err) // an overflow: anything may have changed
		case <-debounced.C:
			since = time.Time{}
			set = rewatch(watcher, look, log)
			if !send(ctx, changed) {
				return
			}
			continue
		}
		if since.IsZero() {
			since = time.Now()
		}
		debounced.Reset(min(quiet, time.Until(since.Add(patience))))
	}
}

func send(ctx context.Context, changed chan<- struct{}) bool {
	select {
	case changed <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// rewatch watches the folders of the set that look fills now, and no others. A folder that appears
// meanwhile may contain another one, so it repeats this until nothing is new.
func rewatch(watcher *fsnotify.Watcher, look func(*Set), log *slog.Logger) *Set {
	failed := make(map[string]bool)
	for {
		set := &Set{make(map[string]*folder)}
		look(set)
		have := make(map[string]bool)
		for _, path := range watcher.WatchList() {
			if have[path] = set.folders[path] != nil; !have[path] {
				_ = watcher.Remove(path) // it may be gone already
			}
		}
		added := false
		for path := range set.folders {
			if have[path] || failed[path] {
				continue
			}
			if err := watcher.Add(path); err != nil {
				failed[path] = true
				log.Warn("changed files are not seen by themselves", "folder", path, "error", err)
				continue
			}
			added = true
		}
		if !added {
			return set
		}
	}
}
