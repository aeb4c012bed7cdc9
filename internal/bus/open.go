package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Name is the message bus itself: the sender of its signals, the destination of its methods.
const Name = "org.freedesktop.DBus"

// PropertiesInterface is the standard interface for properties.
const PropertiesInterface = Name + ".Properties"

// Conn is a private connection to a message bus. Its methods may be called from any goroutine. It
// works until Done is closed; it does not reconnect.
type Conn struct {
	raw     *dbus.Conn
	address string
	gate    gate
	hub     hub
	users   users
}

// System is the address of the system bus.
func System() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=/run/dbus/system_bus_socket"
}

// Session is the address of the session bus. The error names what was missing. It starts no bus:
// nobody else would be on it.
func Session() (string, error) {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return address, nil
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = fmt.Sprintf("/run/user/%d", os.Geteuid())
	}
	socket := filepath.Join(dir, "bus")
	if _, err := os.Stat(socket); err != nil {
		return "", fmt.Errorf("DBUS_SESSION_BUS_ADDRESS is not set and there is no %s", socket)
	}
	return "unix:path=" + dbus.EscapeBusAddressValue(socket), nil
}

// Open connects to the bus at an address, such as that of Session or System. ctx is for connecting
// only.
func Open(ctx context.Context, address string) (*Conn, error) {
	return open(ctx, address, false)
}

// open is Open. With takesFiles, replies may have file descriptors.
func open(ctx context.Context, address string, takesFiles bool) (*Conn, error) {
	socket, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &Conn{address: address}
	c.hub.conn, c.users.conn, c.gate.conn = c, c, c
	t := newTransport(socket, c, takesFiles)
	c.raw, err = dbus.NewConn(t, dbus.WithSignalHandler(&c.hub))
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	// Auth and Hello take no context, so its end closes the connection.
	abandon := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	err = c.raw.Auth(nil)
	if err == nil {
		err = c.raw.Hello()
	}
	if !abandon() {
		err = fmt.Errorf("the bus does not answer: %w", context.Cause(ctx))
	}
	if err != nil {
		_ = c.raw.Close()
		return nil, err
	}
	return c, nil
}

// dial connects to the first socket of an address that answers.
func dial(ctx context.Context, address string) (*net.UnixConn, error) {
	var errs []error
	for _, one := range strings.Split(address, ";") {
		name, err := socketOf(one)
		if err == nil {
			var conn net.Conn
			if conn, err = new(net.Dialer).DialContext(ctx, "unix", name); err == nil {
				return conn.(*net.UnixConn), nil
			}
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// socketOf is the unix socket of one address; see "Server Addresses" of the D-Bus specification.
func socketOf(address string) (string, error) {
	kind, list, _ := strings.Cut(address, ":")
	if kind == "unix" {
		for _, pair := range strings.Split(list, ",") {
			key, value, _ := strings.Cut(pair, "=")
			name, err := dbus.UnescapeBusAddressValue(value)
			switch {
			case err != nil:
			case key == "path":
				return name, nil
			case key == "abstract":
				return "@" + name, nil
			}
		}
	}
	return "", fmt.Errorf("%q is not the address of a unix socket", address)
}

// Done is closed when the connection is lost or closed.
func (c *Conn) Done() <-chan struct{} { return c.raw.Context().Done() }

// Context ends when the connection is lost or closed.
func (c *Conn) Context() context.Context { return c.raw.Context() }

// Close ends the connection. Calls that wait for a reply return an error.
func (c *Conn) Close() error {
	c.users.close()
	return c.raw.Close()
}

// Object is an object of another connection.
func (c *Conn) Object(name string, path dbus.ObjectPath) dbus.BusObject {
	return c.raw.Object(name, path)
}

// CallInteractive calls a method with the flag ALLOW_INTERACTIVE_AUTHORIZATION: the service may ask
// a person first, by polkit. godbus removes that flag from the calls of its objects.
func (c *Conn) CallInteractive(ctx context.Context, destination string, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	dot := strings.LastIndexByte(method, '.')
	call := &dbus.Message{
		Type: dbus.TypeMethodCall, Flags: dbus.FlagAllowInteractiveAuthorization, Body: args,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant(destination), dbus.FieldPath: dbus.MakeVariant(path),
			dbus.FieldInterface: dbus.MakeVariant(method[:dot]), dbus.FieldMember: dbus.MakeVariant(method[dot+1:]),
		},
	}
	if len(args) > 0 {
		call.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(args...))
	}
	return <-c.raw.SendWithContext(ctx, call, make(chan *dbus.Call, 1)).Done
}

// Properties gets all properties of an interface of an object. It does not start a service.
func (c *Conn) Properties(ctx context.Context, name string, path dbus.ObjectPath, iface string) (map[string]dbus.Variant, error) {
	var properties map[string]dbus.Variant
	err := c.Object(name, path).CallWithContext(ctx, PropertiesInterface+".GetAll", dbus.FlagNoAutoStart, iface).Store(&properties)
	return properties, err
}

// BusObject is the object of the bus itself.
func (c *Conn) BusObject() dbus.BusObject { return c.raw.BusObject() }

// Emit sends a signal to all listeners on the bus.
func (c *Conn) Emit(path dbus.ObjectPath, name string, values ...any) error {
	return c.raw.Emit(path, name, values...)
}

// RequestName asks for a name on the bus.
func (c *Conn) RequestName(name string, flags dbus.RequestNameFlags) (dbus.RequestNameReply, error) {
	return c.raw.RequestName(name, flags)
}

// ReleaseName gives a name back.
func (c *Conn) ReleaseName(name string) (dbus.ReleaseNameReply, error) {
	return c.raw.ReleaseName(name)
}

// UniqueName is the connection's own name.
func (c *Conn) UniqueName() string { return c.raw.Names()[0] }

// HasOwner says whether anybody has a name, well-known or unique.
func (c *Conn) HasOwner(ctx context.Context, name string) (bool, error) {
	var there bool
	err := c.BusObject().CallWithContext(ctx, Name+".NameHasOwner", 0, name).Store(&there)
	return there, err
}
