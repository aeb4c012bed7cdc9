package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// Scope says which systemd manager is meant.
type Scope int

// The two kinds of manager.
const (
	User   Scope = iota // the person's own: systemd --user, on the session bus
	System              // PID 1, on the system bus
)

const (
	busName          = "org.freedesktop.systemd1"
	managerPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface = "org.freedesktop.systemd1.Manager"
	unitInterface    = "org.freedesktop.systemd1.Unit"
	serviceInterface = "org.freedesktop.systemd1.Service"
)

// Conn is a connection to a systemd manager. It is good until Done is closed; a
// lost connection is not mended, its owner connects again and looks at everything
// anew. Its methods may be called from any goroutine, and none outlasts its context.
//
// One bus connection carries both calls and signals, so a signal that systemd sent
// before a reply is also seen before it.
type Conn struct {
	bus     *bus.Conn
	manager dbus.BusObject
}

// joinTime is how long systemd may take to join its bus. The bus of a user starts with
// its first client, which may be us.
const joinTime = 3 * time.Second

// Connect connects to the manager of a scope and asks it to send its signals. The
// context bounds the connecting only. Without a bus, or without a systemd on it, the
// error is ErrNoManager.
func Connect(ctx context.Context, scope Scope) (*Conn, error) {
	c, err := open(ctx, scope)
	if err != nil {
		return nil, err
	}
	err = c.subscribe(ctx)
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("subscribe to systemd: %w", err)
	}
	return c, nil
}

// open connects to the bus of a scope.
func open(ctx context.Context, scope Scope) (*Conn, error) {
	address, err := bus.System(), error(nil)
	if scope == User {
		address, err = bus.Session()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoManager, err)
	}
	b, err := bus.Open(ctx, address)
	if err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrNoManager, err)
		}
		return nil, fmt.Errorf("connect to the bus: %w", err)
	}
	return &Conn{bus: b, manager: b.Object(busName, managerPath)}, nil
}

// subscribe asks systemd for its signals, and gives it joinTime to join the bus.
func (c *Conn) subscribe(ctx context.Context) error {
	joined := make(chan struct{}, 1)
	stop, err := c.bus.Listen(ctx, func(*dbus.Signal) {
		select {
		case joined <- struct{}{}:
		default:
		}
	}, bus.OwnerChanges(busName))
	if err != nil {
		return err
	}
	defer stop()
	err = translate(c.call(ctx, "Subscribe").Err)
	if !errors.Is(err, ErrNoManager) {
		return err
	}
	select {
	case <-joined:
		return translate(c.call(ctx, "Subscribe").Err)
	case <-time.After(joinTime):
	case <-ctx.Done():
	}
	return ErrNoManager
}

// Done is closed when the connection is lost or closed.
func (c *Conn) Done() <-chan struct{} { return c.bus.Done() }

// Close ends the connection; what waits on it returns with an error.
func (c *Conn) Close() error { return c.bus.Close() }

// call calls a method of the manager. A bus without a systemd answers at once:
// there is no point in having the bus start one.
func (c *Conn) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return c.manager.CallWithContext(ctx, managerInterface+"."+method, dbus.FlagNoAutoStart, args...)
}
