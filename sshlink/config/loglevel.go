package config

import (
	"context"
	"log/slog"
	"strings"
)

// levels are the words of LogLevel in ssh_config(5). LogLevel applies to the messages that ssh
// would print about a connection. Messages about the tunnel's state are logged whatever it says.
var levels = map[string]slog.Level{
	"quiet": slog.LevelError + 4, "silent": slog.LevelError + 4, // ssh -G prints QUIET as SILENT
	"fatal": slog.LevelError, "error": slog.LevelError,
	"info": slog.LevelInfo, "verbose": slog.LevelInfo,
	"debug": slog.LevelDebug, "debug1": slog.LevelDebug, "debug2": slog.LevelDebug, "debug3": slog.LevelDebug,
}

// withLogLevel returns a log that follows LogLevel, or log itself if LogLevel is not set.
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

// Enabled asks the handler below only at INFO and VERBOSE, because that handler may be set to log
// more than usual. At any other LogLevel, LogLevel alone decides.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level || h.level == slog.LevelInfo && h.Handler.Enabled(ctx, level)
}

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.level}
}
