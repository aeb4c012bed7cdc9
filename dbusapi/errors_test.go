package dbusapi

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestErrorsThereAndBack(t *testing.T) {
	const ours = "io.github.holdfast.Holdfast1.Error."
	for _, c := range []struct {
		err  error
		name string
		is   error
	}{
		{listing.ErrNoSuchTunnel, ours + "NoSuchTunnel", listing.ErrNoSuchTunnel},
		{fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, "web"), ours + "NoSuchTunnel", listing.ErrNoSuchTunnel},
		{listing.ErrTunnelExists, ours + "TunnelExists", listing.ErrTunnelExists},
		{listing.ErrInvalidName, ours + "InvalidName", listing.ErrInvalidName},
		{fmt.Errorf("%w: %w", listing.ErrNotStored, io.ErrShortWrite), ours + "NotStored", listing.ErrNotStored},
		{listing.ErrRefused, ours + "Refused", listing.ErrRefused},
		{listing.ErrUnderWay, "org.freedesktop.DBus.Error.Timeout", listing.ErrUnderWay},
		{ErrNoAgent, ours + "NoAgent", ErrNoAgent},
		{errors.ErrUnsupported, "org.freedesktop.DBus.Error.NotSupported", errors.ErrUnsupported},
		{io.ErrUnexpectedEOF, "org.freedesktop.DBus.Error.Failed", nil},
	} {
		e := dbusError(c.err)
		if e.Name != c.name {
			t.Errorf("%v is %s, want %s", c.err, e.Name, c.name)
		}
		// As the library hands it over: by value.
		back := goError(*e)
		if back.Error() != c.err.Error() || c.is != nil && !errors.Is(back, c.is) {
			t.Errorf("%v came back as %v", c.err, back)
		}
	}
	if e := dbusError(nil); e != nil {
		t.Errorf("nil is %v", e)
	}
	if err := goError(nil); err != nil {
		t.Errorf("nil came back as %v", err)
	}
	seen := make(map[string]bool)
	for _, e := range errorNames {
		if seen[e.name] {
			t.Errorf("%s stands for two errors", e.name)
		}
		seen[e.name] = true
	}
}

func TestProblemsThereAndBack(t *testing.T) {
	want := tunnelfile.Problems{{Path: "/a.tunnel", Line: 3, Key: "Strat", Message: `unknown key; did you mean "Start"?`}, {Message: "no Destination"}}
	e := dbusError(fmt.Errorf("cannot add: %w", want))
	if e.Name != invalidSettings {
		t.Errorf("problems are %s", e.Name)
	}
	// On the wire a struct is a list of values.
	e.Body[1] = [][]any{{"/a.tunnel", uint32(3), "Strat", want[0].Message}, {"", uint32(0), "", "no Destination"}}
	var got tunnelfile.Problems
	if !errors.As(goError(*e), &got) || !reflect.DeepEqual(got, want) {
		t.Errorf("came back as %v", got)
	}
	// From one that sends the sentence only.
	if !errors.As(goError(*dbus.NewError(invalidSettings, []any{"bad"})), &got) || got.Error() != "bad" {
		t.Errorf("a sentence came back as %v", got)
	}
}

func TestAbsence(t *testing.T) {
	for name, want := range map[string]error{
		"org.freedesktop.DBus.Error.ServiceUnknown":    ErrNotInstalled,
		"org.freedesktop.DBus.Error.Spawn.ChildExited": ErrNotStarted,
		"org.freedesktop.systemd1.UnitMasked":          ErrNotStarted,
		"org.freedesktop.DBus.Error.NoReply":           ErrGone,
	} {
		if err := goError(dbus.Error{Name: name, Body: []any{"why"}}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
