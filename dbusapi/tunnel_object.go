package dbusapi

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
)

// tunnelObject is the Tunnel interface, on each tunnel's object.
type tunnelObject struct{ *server }

// tunnel is the one that the message is for.
func (o tunnelObject) tunnel(msg dbus.Message) (listing.Tunnel, *dbus.Error) {
	if path := pathOf(msg); path == EntryPath || path == tunnelsPath {
		return listing.Tunnel{}, unknownInterface(path, TunnelInterface)
	}
	return o.tunnelAt(pathOf(msg))
}

// do is server.do for the tunnel that the message is for.
func (o tunnelObject) do(msg dbus.Message, f func(ctx context.Context, patterns []string) error) *dbus.Error {
	t, err := o.tunnel(msg)
	if err != nil {
		return err
	}
	// A name has none of a glob's characters: it means itself.
	return o.server.do(msg, func(ctx context.Context) error { return f(ctx, []string{t.Name}) })
}

func (o tunnelObject) Start(msg dbus.Message) *dbus.Error     { return o.do(msg, o.backend.Start) }
func (o tunnelObject) Stop(msg dbus.Message) *dbus.Error      { return o.do(msg, o.backend.Stop) }
func (o tunnelObject) Restart(msg dbus.Message) *dbus.Error   { return o.do(msg, o.backend.Restart) }
func (o tunnelObject) Reconnect(msg dbus.Message) *dbus.Error { return o.do(msg, o.backend.Reconnect) }

func (o tunnelObject) Statistics(msg dbus.Message) (map[string]dbus.Variant, *dbus.Error) {
	t, err := o.tunnel(msg)
	if err != nil {
		return nil, err
	}
	counted, err := answerFor(o.server, t.Name, o.counted)
	return counted.shown(o.mayRead(msg, t)), err
}
