// Package golog stands in for github.com/getlantern/golog, the log of getlantern/systray,
// in the tray that make builds. That one brings net/http and TLS along, of which a tray
// uses nothing: 1.6 MB of program, and as much memory.
package golog

import (
	"fmt"
	"log/slog"
)

// Logger is what systray uses of golog's.
type Logger interface {
	Errorf(format string, args ...any) error
}

// LoggerFor is the log of a package.
func LoggerFor(prefix string) Logger { return logger(prefix) }

type logger string

func (l logger) Errorf(format string, args ...any) error {
	err := fmt.Errorf(string(l)+": "+format, args...)
	slog.Error(err.Error())
	return err
}
