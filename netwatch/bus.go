package netwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// connectTimeout is how long the system bus may take to let us in.
const connectTimeout = 5 * time.Second

const propertiesInterface = "org.freedesktop.DBus.Properties"

// bus is a connection to the system bus, with matches for all that is a hint.
type bus struct {
	conn *dbus.Conn
	log  *slog.Logger
	hint func()

	sleepMu sync.Mutex
	going   bool          // the last that PrepareForSleep said
	slept   chan struct{} // it said something; one token for all that is new
	logind  chan struct{} // logind is another one now
}

// connectBus connects; ctx is the connection's life. Hint is called for each signal that
// may mean something, from the goroutine that reads: it must not block.
func connectBus(ctx context.Context, c Config, hint func()) (*bus, error) {
	b := &bus{log: c.Log, hint: hint, slept: make(chan struct{}, 1), logind: make(chan struct{}, 1)}
	life, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(connectTimeout, cancel)
	conn, err := dialBus(c.SystemBusAddress, dbus.WithContext(life), dbus.WithSignalHandler(b))
	if err != nil {
		cancel()
		return nil, err
	}
	b.conn = conn
	context.AfterFunc(conn.Context(), cancel)
	err = b.subscribe(life)
	if !timer.Stop() {
		err = errors.New("the bus took too long")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return b, nil
}

func dialBus(address string, options ...dbus.ConnOption) (*dbus.Conn, error) {
	if address == "" {
		return dbus.ConnectSystemBus(options...)
	}
	return dbus.Connect(address, options...)
}

// subscribe asks for the signals that are hints, and for no more: each one wakes us up.
// Access points that come and go, for one, do not.
func (b *bus) subscribe(ctx context.Context) error {
	changed := []dbus.MatchOption{
		dbus.WithMatchInterface(propertiesInterface), dbus.WithMatchMember("PropertiesChanged"),
	}
	owner := func(name string) []dbus.MatchOption {
		return []dbus.MatchOption{
			dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name),
		}
	}
	for _, match := range [][]dbus.MatchOption{
		append([]dbus.MatchOption{dbus.WithMatchSender(managerName), dbus.WithMatchObjectPath(managerPath)}, changed...),
		append([]dbus.MatchOption{dbus.WithMatchSender(managerName), dbus.WithMatchPathNamespace(activePath)}, changed...),
		append([]dbus.MatchOption{dbus.WithMatchSender(networkdName), dbus.WithMatchObjectPath(networkdPath)}, changed...),
		{
			dbus.WithMatchSender(logindName), dbus.WithMatchObjectPath(logindPath),
			dbus.WithMatchInterface(logindInterface), dbus.WithMatchMember("PrepareForSleep"),
		},
		owner(managerName), owner(networkdName), owner(logindName),
	} {
		if err := b.conn.AddMatchSignalContext(ctx, match...); err != nil {
			return fmt.Errorf("asking for signals: %w", err)
		}
	}
	return nil
}

// DeliverSignal is called for each signal, in order.
func (b *bus) DeliverSignal(iface, member string, signal *dbus.Signal) {
	switch {
	case iface == logindInterface && member == "PrepareForSleep":
		if going, ok := argument[bool](signal, 0); ok {
			b.setGoing(going)
		}
	case member == "NameOwnerChanged":
		if name, _ := argument[string](signal, 0); name == logindName {
			notify(b.logind)
			return
		}
		b.hint()
	default:
		b.hint()
	}
}

// call calls a method. A service that does not run is not started by it.
func (b *bus) call(ctx context.Context, name string, path dbus.ObjectPath, method string, arguments ...any) *dbus.Call {
	return b.conn.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, arguments...)
}

func (b *bus) properties(ctx context.Context, name string, path dbus.ObjectPath, iface string) (map[string]dbus.Variant, error) {
	var properties map[string]dbus.Variant
	err := b.call(ctx, name, path, propertiesInterface+".GetAll", iface).Store(&properties)
	return properties, err
}

// notRunning says whether a call failed because there is nobody of that name.
func notRunning(err error) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && (e.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" || e.Name == "org.freedesktop.DBus.Error.ServiceUnknown")
}

// value is a property, or the zero value where it is missing or of another type.
func value[T any](properties map[string]dbus.Variant, name string) T {
	v, _ := properties[name].Value().(T)
	return v
}

func argument[T any](signal *dbus.Signal, i int) (v T, ok bool) {
	if i < len(signal.Body) {
		v, ok = signal.Body[i].(T)
	}
	return v, ok
}

// notify leaves a token in a channel that holds one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
