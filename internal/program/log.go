package program

import (
	"log/slog"
	"os"

	"github.com/holdfast/holdfast/internal/journal"
)

// Log returns a logger, and makes it slog's default. If stderr leads to the journal, it writes
// entries with fields there; else it writes text to stderr, one line an event.
func Log(verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if journal.Goes(os.Stderr) {
		options.ReplaceAttr = withoutTime // the journal has its own
		handler = journal.NewHandler(options.Level, slog.NewTextHandler(os.Stderr, options))
	}
	log := slog.New(handler)
	slog.SetDefault(log)
	return log
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
