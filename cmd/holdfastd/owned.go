package main

import (
	"context"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/bus"
)

// nameOwned returns a channel that is closed when the bus has given our name to this connection.
func nameOwned(ctx context.Context, conn *bus.Conn) (<-chan struct{}, error) {
	owned := make(chan struct{})
	done := sync.OnceFunc(func() { close(owned) })
	_, err := conn.Listen(ctx, func(*dbus.Signal) { done() },
		bus.Match{Sender: bus.Name, Interface: bus.Name, Member: "NameAcquired", Arg0: dbusapi.BusName})
	return owned, err
}
