package program

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
)

// Log logs to stderr: text, one line an event. The journal keeps its own time of each
// line, so none is written for it.
func Log(verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	if toJournal(os.Stderr) {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, options))
	slog.SetDefault(log)
	return log
}

// toJournal says whether f goes straight to the journal: JOURNAL_STREAM names the
// device and the inode of the stream that it connected, see systemd.exec(5). The
// variable alone tells nothing, since a terminal's children inherit it too.
func toJournal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}
