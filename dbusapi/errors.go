package dbusapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ErrNoAgent says that there is nobody to answer a question.
var ErrNoAgent = errors.New("no agent: nobody is there to ask")

// ErrDenied says that the caller may not do this to the system's tunnels.
var ErrDenied = errors.New("access denied")

// ErrTooMany says that a limit would be exceeded.
var ErrTooMany = errors.New("too much")

// errorNames is the table of errors: in Go, and by name on the bus. tunnelfile.Problems is not in it,
// which is InvalidSettings on the bus.
var errorNames = []struct {
	err  error
	name string
}{
	{listing.ErrNoSuchTunnel, "io.github.holdfast.Holdfast1.Error.NoSuchTunnel"},
	{listing.ErrTunnelExists, "io.github.holdfast.Holdfast1.Error.TunnelExists"},
	{listing.ErrInvalidName, "io.github.holdfast.Holdfast1.Error.InvalidName"},
	{listing.ErrNotStored, "io.github.holdfast.Holdfast1.Error.NotStored"},
	{listing.ErrRefused, "io.github.holdfast.Holdfast1.Error.Refused"},
	{ErrDenied, "org.freedesktop.DBus.Error.AccessDenied"},
	{ErrTooMany, "org.freedesktop.DBus.Error.LimitsExceeded"},
	{ErrNoAgent, "io.github.holdfast.Holdfast1.Error.NoAgent"},
	{listing.ErrUnderWay, "org.freedesktop.DBus.Error.Timeout"},
	{errors.ErrUnsupported, "org.freedesktop.DBus.Error.NotSupported"},
}

const (
	invalidSettings = "io.github.holdfast.Holdfast1.Error.InvalidSettings"
	failed          = "org.freedesktop.DBus.Error.Failed"
)

// problemRow is a tunnelfile.Problem on the bus: (suss).
type problemRow struct {
	Path    string
	Line    uint32
	Key     string
	Message string
}

func problemRowOf(p tunnelfile.Problem) problemRow {
	return problemRow{sendable(p.Path), uint32(max(p.Line, 0)), sendable(p.Key), sendable(p.Message)}
}

func (r problemRow) problem() tunnelfile.Problem {
	return tunnelfile.Problem{Path: r.Path, Line: int(r.Line), Key: r.Key, Message: r.Message}
}

// mapped is f of each element of a list, nil for an empty list.
func mapped[T, W any](list []T, f func(T) W) []W {
	var all []W
	for _, e := range list {
		all = append(all, f(e))
	}
	return all
}

// sendable is a text that D-Bus can carry. A reply that cannot be sent would leave its caller
// waiting.
func sendable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// dbusError is a Go error on the bus, nil for nil. Its first value is the text. InvalidSettings has
// the problems, a(suss), as its second value.
func dbusError(err error) *dbus.Error {
	if err == nil {
		return nil
	}
	if problems, ok := errors.AsType[tunnelfile.Problems](err); ok {
		return dbus.NewError(invalidSettings, []any{sendable(err.Error()), mapped(problems, problemRowOf)})
	}
	for _, e := range errorNames {
		if errors.Is(err, e.err) {
			return dbus.NewError(e.name, []any{sendable(err.Error())})
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return dbus.NewError(failed, []any{fmt.Sprintf("not done within %d s", int(callTime.Seconds()))})
	}
	return dbus.NewError(failed, []any{sendable(err.Error())})
}

// remoteError is an error that came over the bus. errors.Is finds its Go error.
type remoteError struct {
	message string
	err     error
}

func (e remoteError) Error() string { return e.message }
func (e remoteError) Unwrap() error { return e.err }

// goError is the inverse of dbusError: the error of a call to the daemon, as a Go error.
func goError(err error) error {
	e, ok := errors.AsType[dbus.Error](err)
	if !ok {
		return err
	}
	if e.Name == invalidSettings {
		var message string
		var rows []problemRow
		if dbus.Store(e.Body, &message, &rows) == nil && len(rows) > 0 {
			return tunnelfile.Problems(mapped(rows, problemRow.problem))
		}
		return tunnelfile.Problems{{Message: e.Error()}}
	}
	for _, known := range errorNames {
		if e.Name == known.name {
			return remoteError{e.Error(), known.err}
		}
	}
	if reason := absence(e); reason != nil {
		return reason
	}
	return remoteError{e.Error(), err}
}

// Errors that say why there is no daemon to talk to.
var (
	ErrNotInstalled = errors.New("holdfastd is not installed: nothing on the bus offers " + BusName)
	ErrNotStarted   = errors.New("holdfastd did not start")
	ErrGone         = errors.New("holdfastd went away before it answered")
	ErrStopped      = errors.New("holdfastd was stopped") // while no call waited for it
	ErrNoBus        = errors.New("no message bus")
)

// notStarted and gone are the names of two conditions in message buses (dbus-daemon, dbus-broker)
// and systemd.
var (
	notStarted = []string{"org.freedesktop.DBus.Error.TimedOut", "org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.LoadFailed", "org.freedesktop.systemd1.UnitMasked"}
	gone       = []string{"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected"}
)

// absence is the error that says why there is no daemon, nil if the error means something else.
func absence(e dbus.Error) error {
	switch {
	case bus.NoOwner(e):
		return ErrNotInstalled
	case slices.Contains(notStarted, e.Name), strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn."):
		return fmt.Errorf("%w: %s", ErrNotStarted, e.Error())
	case slices.Contains(gone, e.Name):
		return ErrGone
	}
	return nil
}
