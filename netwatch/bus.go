package netwatch

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// connectTimeout is how long the system bus may take to let us in.
const connectTimeout = 5 * time.Second

// systemBus is a connection to the system bus that listens to all hints.
type systemBus struct {
	*bus.Conn
	address string
	log     *slog.Logger
	hint    func()
	slept   chan struct{} // the machine may be about to sleep, or have woken up
	logind  chan struct{} // logind was started again
}

// hints are the signals that matter. Each of them wakes this process up, so there are no more than
// needed: none for access points, for example.
var hints = []bus.Match{
	{Sender: managerName, Path: managerPath, Interface: bus.PropertiesInterface, Member: "PropertiesChanged"},
	{Sender: managerName, PathPrefix: activePath, Interface: bus.PropertiesInterface, Member: "PropertiesChanged"},
	{Sender: networkdName, Path: networkdPath, Interface: bus.PropertiesInterface, Member: "PropertiesChanged"},
	{Sender: logindName, Path: logindPath, Interface: logindInterface, Member: "PrepareForSleep"},
	bus.OwnerChanges(managerName), bus.OwnerChanges(networkdName), bus.OwnerChanges(logindName),
}

// connectBus connects until ctx ends. It calls hint for each hint, from the goroutine that reads:
// hint must not block.
func connectBus(ctx context.Context, c Config, hint func()) (*systemBus, error) {
	b := &systemBus{
		address: cmp.Or(c.SystemBusAddress, bus.System()), log: c.Log, hint: hint,
		slept: make(chan struct{}, 1), logind: make(chan struct{}, 1),
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var err error
	if b.Conn, err = bus.Open(connecting, b.address); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { b.Close() })
	if _, err := b.Listen(connecting, b.deliver, hints...); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// deliver takes the signals, in order.
func (b *systemBus) deliver(signal *dbus.Signal) {
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

// call calls a method. It does not start a service that does not run.
func (b *systemBus) call(ctx context.Context, name string, path dbus.ObjectPath, method string, arguments ...any) *dbus.Call {
	return b.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, arguments...)
}

// value is a property, or the zero value if it is missing or has another type.
func value[T any](properties map[string]dbus.Variant, name string) T {
	v, _ := properties[name].Value().(T)
	return v
}

// notify puts a token into a channel with room for one, unless there is one already.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
