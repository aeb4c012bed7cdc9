package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// Scope is one of the two kinds of systemd manager.
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
)

// Conn is a connection to a systemd manager. It works until Done is closed, and does not reconnect:
// its owner connects again and reads everything anew. Its methods may be called from any goroutine,
// and return when their context ends.
//
// Calls and signals use one bus connection, so a signal that systemd sent before a reply comes
// before it.
type Conn struct {
	bus     *bus.Conn
	manager dbus.BusObject
}

// joinTime is how long systemd may take to join its bus. The bus of a user starts with its first
// client, which may be this process.
const joinTime = 3 * time.Second

// Connect connects to the manager of a scope and asks it to send signals. ctx is for connecting
// only. The error is ErrNoManager if there is no bus, or no systemd on it.
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

// subscribe asks systemd to send signals. It waits up to joinTime until systemd joins the bus.
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

// Close ends the connection. Calls that wait return with an error.
func (c *Conn) Close() error { return c.bus.Close() }

// call calls a method of the manager. The bus must not start a systemd, so it answers at once if
// there is none.
func (c *Conn) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return c.manager.CallWithContext(ctx, managerInterface+"."+method, dbus.FlagNoAutoStart, args...)
}

// UserspaceTimestampMonotonic is when this manager started, in µs of CLOCK_MONOTONIC, which
// identifies the start even if the realtime clock is set.
func (c *Conn) UserspaceTimestampMonotonic(ctx context.Context) (uint64, error) {
	const property = "UserspaceTimestampMonotonic"
	var usec uint64
	err := c.manager.CallWithContext(ctx, bus.PropertiesInterface+".Get", dbus.FlagNoAutoStart, managerInterface, property).Store(&usec)
	if err != nil {
		return 0, fmt.Errorf("systemd's %s: %w", property, translate(err))
	}
	return usec, nil
}
