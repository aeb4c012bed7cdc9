package program

import (
	"log/slog"
	"os"

	"github.com/holdfast/holdfast/internal/journal"
)

// Log logs to the journal where stderr leads there, as entries with fields; else to stderr:
// text, one line an event.
func Log(verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if journal.Goes(os.Stderr) {
		options.ReplaceAttr = withoutTime // the journal keeps its own
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
