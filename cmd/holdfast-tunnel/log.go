package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// newLog is the log of the tunnel whose file is at path: text on stderr, one line an
// event. The journal keeps its own time of each line, so none is written for it.
func newLog(path string, verbose bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if verbose {
		options.Level = slog.LevelDebug
	}
	if os.Getenv("JOURNAL_STREAM") != "" {
		options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	name, ok := tunnelfile.NameOfFile(path)
	if !ok {
		name = strings.TrimSuffix(path, tunnelfile.Suffix)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)).With("tunnel", name)
}
