// Package golog replaces github.com/getlantern/golog, the log of getlantern/systray, in the tray
// that make builds. The original brings in net/http and TLS, which a tray does not use: 1.6 MB of
// program, and as much memory.
package golog

import (
	"fmt"
	"log/slog"
)

// Logger is the part of golog's Logger that systray uses.
type Logger interface {
	Errorf(format string, args ...any) error
}

// LoggerFor returns the log of a package.
func LoggerFor(prefix string) Logger { return logger(prefix) }

type logger string

func (l logger) Errorf(format string, args ...any) error {
	err := fmt.Errorf(string(l)+": "+format, args...)
	slog.Error(err.Error())
	return err
}
