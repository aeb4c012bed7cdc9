package config

import (
	"context"
	"log/slog"
	"strings"
)

// levels are the words of LogLevel. What ssh would say rules what is logged of a connection; how
// the tunnel fares is logged whatever it says.
var levels = map[string]slog.Level{
	"quiet": slog.LevelError + 4, "silent": slog.LevelError + 4, // ssh -G calls it so
	"fatal": slog.LevelError, "error": slog.LevelError,
	"info": slog.LevelInfo, "verbose": slog.LevelInfo,
	"debug": slog.LevelDebug, "debug1": slog.LevelDebug, "debug2": slog.LevelDebug, "debug3": slog.LevelDebug,
}

// withLogLevel is a log that says as much as LogLevel asks for, where somebody set it.
func withLogLevel(log *slog.Logger, word string) *slog.Logger {
	level, known := levels[strings.ToLower(word)]
	if !known {
		return log
	}
	return slog.New(levelHandler{log.Handler(), level})
}

type levelHandler struct {
	slog.Handler
	level slog.Level
}

// Enabled asks the handler below, which may be told to say more than usual, only where the person
// asked for the usual.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level || h.level == slog.LevelInfo && h.Handler.Enabled(ctx, level)
}

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.level}
}
