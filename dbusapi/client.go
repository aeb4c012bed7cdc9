package dbusapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Client talks to the daemon. Calls start the daemon if D-Bus activation is set up. Their errors are
// those of the manager (ErrNoSuchTunnel, tunnelfile.Problems, …), ErrNoAgent, or say why there is no
// daemon: ErrNotInstalled, ErrNotStarted, ErrGone.
type Client struct {
	conn   *bus.Conn
	person *person
}

// Dial connects to the daemon's bus, and does not start the daemon. ctx is for connecting only.
// Errors are ErrNoBus.
func Dial(ctx context.Context, system bool) (*Client, error) {
	conn, err := Connect(ctx, system)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn}, nil
}

// Close ends the connection, and every Watch.
func (c *Client) Close() error { return c.conn.Close() }

// once calls a method of the daemon. One that is denied has done nothing: it is called again
// where a person can be asked.
func (c *Client) once(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := c.send(ctx, path, method, args...)
	if c.person == nil || !errors.Is(call.Err, ErrDenied) {
		return call
	}
	return c.person.ask(call, func(ctx context.Context) *dbus.Call {
		call := c.conn.CallInteractive(ctx, BusName, path, method, args...)
		call.Err = goError(call.Err)
		return call
	})
}

// Patience is how long a call may take, whatever its context says: the bus has 25 s to start the daemon.
const Patience = 30 * time.Second

func (c *Client) send(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	call := c.conn.Object(BusName, path).CallWithContext(ctx, method, 0, args...)
	call.Err = goError(call.Err)
	return call
}

// call calls a method that may be called twice. If the daemon ends before it answers, as in an
// upgrade, it calls once more, which starts the next daemon.
func (c *Client) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := c.once(ctx, path, method, args...)
	if !errors.Is(call.Err, ErrGone) {
		return call
	}
	return c.once(ctx, path, method, args...)
}

func (c *Client) manager(ctx context.Context, method string, args ...any) *dbus.Call {
	return c.call(ctx, EntryPath, ManagerInterface+"."+method, args...)
}

// onTunnel is call on a tunnel's object.
func (c *Client) onTunnel(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := c.call(ctx, path, method, args...)
	if bus.Is(call.Err, unknownObjectName) {
		call.Err = fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, nameAt(path))
	}
	return call
}

// Activate starts the daemon if it does not run.
func (c *Client) Activate(ctx context.Context) error {
	return goError(c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.StartServiceByName", 0, BusName, uint32(0)).Err)
}

// Snapshot is how things are now.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	tunnels, err := c.Tunnels(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	global, err := c.Global(ctx)
	return Snapshot{Running: err == nil, Global: global, Tunnels: tunnels}, err
}

// Tunnels is all tunnels, sorted by name.
func (c *Client) Tunnels(ctx context.Context) ([]listing.Tunnel, error) {
	byPath, _, err := c.managed(ctx)
	if err != nil {
		return nil, err
	}
	return sorted(byPath), nil
}

// managed returns all tunnels by object, and the sequence number of the reply.
func (c *Client) managed(ctx context.Context) (map[dbus.ObjectPath]listing.Tunnel, dbus.Sequence, error) {
	var objects map[dbus.ObjectPath]map[string]map[string]dbus.Variant
	call := c.call(ctx, EntryPath, objectManagerInterface+".GetManagedObjects")
	if err := call.Store(&objects); err != nil {
		return nil, 0, err
	}
	byPath := make(map[dbus.ObjectPath]listing.Tunnel, len(objects))
	for path, interfaces := range objects {
		properties, ok := interfaces[TunnelInterface]
		if !ok {
			continue
		}
		t, err := withProperties(listing.Tunnel{}, properties)
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		if !complete(properties) {
			t, err = c.tunnelAt(ctx, path)
		}
		switch {
		case errors.Is(err, listing.ErrNoSuchTunnel): // it was removed meanwhile
		case err != nil:
			return nil, 0, err
		default:
			byPath[path] = t
		}
	}
	return byPath, call.ResponseSequence, nil
}

func sorted(byPath map[dbus.ObjectPath]listing.Tunnel) []listing.Tunnel {
	return slices.SortedFunc(maps.Values(byPath), func(a, b listing.Tunnel) int { return cmp.Compare(a.Name, b.Name) })
}

// Tunnel is the tunnel of this name.
func (c *Client) Tunnel(ctx context.Context, name string) (listing.Tunnel, error) {
	var path dbus.ObjectPath
	if err := c.manager(ctx, "GetTunnel", name).Store(&path); err != nil {
		return listing.Tunnel{}, err
	}
	return c.tunnelAt(ctx, path)
}

// complete says whether properties that everybody gets have everything except the file's text. If not
// everybody may read the file of a system's tunnel, they do not, and must be asked for.
func complete(properties map[string]dbus.Variant) bool {
	_, ok := properties["Destination"]
	return ok
}

// tunnelAt returns the tunnel whose object is at path, as far as this client may read it.
func (c *Client) tunnelAt(ctx context.Context, path dbus.ObjectPath) (listing.Tunnel, error) {
	var properties map[string]dbus.Variant
	if err := c.onTunnel(ctx, path, propertiesInterface+".GetAll", TunnelInterface).Store(&properties); err != nil {
		return listing.Tunnel{}, err
	}
	return withProperties(listing.Tunnel{}, properties)
}

// Text is the text of a tunnel's file. Of one of the system's not everybody may know it.
func (c *Client) Text(ctx context.Context, name string) (string, error) {
	var text string
	err := c.onTunnel(ctx, tunnelPath(name), propertiesInterface+".Get", TunnelInterface, "Text").Store(&text)
	return text, err
}

// Global returns what the daemon publishes of itself.
func (c *Client) Global(ctx context.Context) (listing.Global, error) {
	g, _, err := c.global(ctx)
	return g, err
}

func (c *Client) global(ctx context.Context) (listing.Global, dbus.Sequence, error) {
	var properties map[string]dbus.Variant
	call := c.call(ctx, EntryPath, propertiesInterface+".GetAll", ManagerInterface)
	if err := call.Store(&properties); err != nil {
		return listing.Global{}, 0, err
	}
	g, err := withProperties(listing.Global{}, properties)
	return g, call.ResponseSequence, err
}

// AddTunnel makes a tunnel from the text of a tunnel file.
func (c *Client) AddTunnel(ctx context.Context, name, text string) error {
	if err := boundText(name, text); err != nil { // the daemon would refuse to read it
		return err
	}
	return c.once(ctx, EntryPath, ManagerInterface+".AddTunnel", name, text).Err
}

// UpdateTunnel gives a tunnel that exists another text.
func (c *Client) UpdateTunnel(ctx context.Context, name, text string) error {
	if err := boundText(name, text); err != nil {
		return err
	}
	return c.manager(ctx, "UpdateTunnel", name, text).Err
}

// RemoveTunnel stops a tunnel and deletes its file.
func (c *Client) RemoveTunnel(ctx context.Context, name string) error {
	return c.once(ctx, EntryPath, ManagerInterface+".RemoveTunnel", name).Err
}

// CheckTunnel returns what is wrong with a text. It writes nothing.
func (c *Client) CheckTunnel(ctx context.Context, name, text string) (tunnelfile.Problems, error) {
	if err := boundText(name, text); err != nil {
		return nil, err
	}
	var rows []checkRow
	if err := c.manager(ctx, "CheckTunnel", name, text).Store(&rows); err != nil {
		return nil, err
	}
	return mapped(rows, func(r checkRow) tunnelfile.Problem {
		return tunnelfile.Problem{Line: int(r.Line), Key: r.Key, Message: r.Message}
	}), nil
}

// Start starts tunnels by name or glob, all if there are no patterns. It does not wait until they are
// up.
func (c *Client) Start(ctx context.Context, patterns ...string) error {
	return c.manager(ctx, "Start", sendableList(patterns)).Err
}

// Stop stops tunnels.
func (c *Client) Stop(ctx context.Context, patterns ...string) error {
	return c.manager(ctx, "Stop", sendableList(patterns)).Err
}

// Restart restarts tunnels.
func (c *Client) Restart(ctx context.Context, patterns ...string) error {
	return c.manager(ctx, "Restart", sendableList(patterns)).Err
}

// Reconnect asks for new SSH connections of tunnels.
func (c *Client) Reconnect(ctx context.Context, patterns ...string) error {
	return c.manager(ctx, "Reconnect", sendableList(patterns)).Err
}

// RestartRolling has new processes take over tunnels, without refusing or cutting a connection.
func (c *Client) RestartRolling(ctx context.Context, patterns ...string) error {
	return c.manager(ctx, "RestartRolling", sendableList(patterns)).Err
}

// Reload has the directories of tunnel files read again.
func (c *Client) Reload(ctx context.Context) error { return c.manager(ctx, "Reload").Err }

// Statistics returns what a tunnel counted. It is Empty if the tunnel does not run.
func (c *Client) Statistics(ctx context.Context, name string) (Statistics, error) {
	var values map[string]dbus.Variant
	if err := c.onTunnel(ctx, tunnelPath(name), TunnelInterface+".Statistics").Store(&values); err != nil {
		return Statistics{}, err
	}
	return withProperties(Statistics{}, values)
}

// StatisticsOf is what these tunnels counted, of those that run; no names are all.
func (c *Client) StatisticsOf(ctx context.Context, names ...string) (map[string]Statistics, error) {
	var values map[string]map[string]dbus.Variant
	if err := c.manager(ctx, "Statistics", sendableList(names)).Store(&values); err != nil {
		return nil, err
	}
	counted := make(map[string]Statistics, len(values))
	for name, one := range values {
		s, err := withProperties(Statistics{}, one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		counted[name] = s
	}
	return counted, nil
}
