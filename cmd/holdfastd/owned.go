package main

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
)

// nameOwned is closed when the bus says that our name is this connection's.
func nameOwned(ctx context.Context, bus *dbus.Conn) <-chan struct{} {
	signals := make(chan *dbus.Signal, 4)
	bus.Signal(signals)
	owned := make(chan struct{})
	go func() {
		defer bus.RemoveSignal(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case s, ok := <-signals:
				if !ok {
					return
				}
				if s.Name == "org.freedesktop.DBus.NameAcquired" && len(s.Body) == 1 && s.Body[0] == dbusapi.BusName {
					close(owned)
					return
				}
			}
		}
	}()
	return owned
}
