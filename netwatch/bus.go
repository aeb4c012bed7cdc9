package netwatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// connectTimeout is how long the system bus may take to let us in.
const connectTimeout = 5 * time.Second

const propertiesInterface = "org.freedesktop.DBus.Properties"

// systemBus is a connection to the system bus that listens to all that is a hint.
type systemBus struct {
	*bus.Conn
	address string
	log     *slog.Logger
	hint    func()
	slept   chan struct{} // the machine may be about to sleep, or awake again
	logind  chan struct{} // logind is another one now
}

// hints are the signals that are hints, and no more: each one wakes us up. Access points that
// come and go, for one, do not.
var hints = []bus.Match{
	{Sender: managerName, Path: managerPath, Interface: propertiesInterface, Member: "PropertiesChanged"},
	{Sender: managerName, PathPrefix: activePath, Interface: propertiesInterface, Member: "PropertiesChanged"},
	{Sender: networkdName, Path: networkdPath, Interface: propertiesInterface, Member: "PropertiesChanged"},
	{Sender: logindName, Path: logindPath, Interface: logindInterface, Member: "PrepareForSleep"},
	bus.OwnerChanges(managerName), bus.OwnerChanges(networkdName), bus.OwnerChanges(logindName),
}

// connectBus connects; ctx is the connection's life. Hint is called for each signal that
// may mean something, from the goroutine that reads: it must not block.
func connectBus(ctx context.Context, c Config, hint func()) (*systemBus, error) {
	b := &systemBus{address: c.SystemBusAddress, log: c.Log, hint: hint, slept: make(chan struct{}, 1), logind: make(chan struct{}, 1)}
	if b.address == "" {
		b.address = bus.System()
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var err error
	if b.Conn, err = bus.Open(connecting, b.address); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { b.Close() })
	if _, err := b.Listen(connecting, b.take, hints...); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// take is called for each signal, in order.
func (b *systemBus) take(signal *dbus.Signal) {
	name, _, _ := bus.OwnerChange(signal)
	switch {
	case signal.Name == logindInterface+".PrepareForSleep":
		notify(b.slept)
	case name == logindName:
		notify(b.logind)
	default:
		b.hint()
	}
}

// call calls a method. A service that does not run is not started by it.
func (b *systemBus) call(ctx context.Context, name string, path dbus.ObjectPath, method string, arguments ...any) *dbus.Call {
	return b.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, arguments...)
}

func (b *systemBus) properties(ctx context.Context, name string, path dbus.ObjectPath, iface string) (map[string]dbus.Variant, error) {
	var properties map[string]dbus.Variant
	err := b.call(ctx, name, path, propertiesInterface+".GetAll", iface).Store(&properties)
	return properties, err
}

// value is a property, or the zero value where it is missing or of another type.
func value[T any](properties map[string]dbus.Variant, name string) T {
	v, _ := properties[name].Value().(T)
	return v
}

// notify leaves a token in a channel that holds one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
