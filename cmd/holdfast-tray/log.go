package main

import (
	"log/slog"
	"os"
)

// newLog logs to stderr; journald adds the time itself (see JOURNAL_STREAM in systemd.exec(5)).
func newLog(verbose bool) *slog.Logger {
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
	log := slog.New(slog.NewTextHandler(os.Stderr, options))
	slog.SetDefault(log)
	return log
}
