package dbusapi

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/fault"
)

// Connect makes a private connection to the session bus, or to the system bus. ctx is for connecting
// only. Errors are ErrNoBus.
func Connect(ctx context.Context, system bool) (*bus.Conn, error) {
	address, err := bus.Session()
	if system {
		address, err = bus.System(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBus, err)
	}
	conn, err := bus.Open(ctx, address)
	switch {
	case err == nil:
		return conn, nil
	case system:
		return nil, fmt.Errorf("%w: %s: %s; is dbus.service running?", ErrNoBus, address, fault.Words(err))
	}
	return nil, fmt.Errorf("%w: %s, by DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR: %s", ErrNoBus, address, fault.Words(err))
}
