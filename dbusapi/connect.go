package dbusapi

import (
	"context"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"
)

// Connect makes a connection of its own to the session bus, or to the system bus.
// The context bounds the making only. Errors are ErrNoBus.
func Connect(ctx context.Context, system bool) (*dbus.Conn, error) {
	type result struct {
		conn *dbus.Conn
		err  error
	}
	done := make(chan result, 1)
	// Authentication has no deadline in the library; a bus that hangs is left behind.
	go func() {
		conn, err := connect(system)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.conn.Close()
			}
		}()
		return nil, fmt.Errorf("%w: the bus does not answer: %w", ErrNoBus, ctx.Err())
	}
}

func connect(system bool) (*dbus.Conn, error) {
	// The default handler does not keep signals in order.
	inOrder := dbus.WithSignalHandler(dbus.NewSequentialSignalHandler())
	dial, why := dbus.SessionBusPrivateNoAutoStartup, sessionBusHint()
	if system {
		dial, why = dbus.SystemBusPrivate, "is dbus.service running?"
	}
	conn, err := dial(inOrder)
	if err != nil {
		return nil, fmt.Errorf("%w: %w (%s)", ErrNoBus, err, why)
	}
	if err := conn.Auth(nil); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	if err := conn.Hello(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	return conn, nil
}

// sessionBusHint says where a session bus was looked for.
func sessionBusHint() string {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		return "DBUS_SESSION_BUS_ADDRESS=" + address
	}
	return fmt.Sprintf("DBUS_SESSION_BUS_ADDRESS is not set and there is no /run/user/%d/bus", os.Geteuid())
}
