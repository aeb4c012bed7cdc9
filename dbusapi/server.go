package dbusapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Backend is what the server publishes and acts on; *manager.Manager is one.
type Backend interface {
	AddTunnel(ctx context.Context, name, text string) error
	UpdateTunnel(ctx context.Context, name, text string) error
	RemoveTunnel(ctx context.Context, name string) error
	CheckTunnel(ctx context.Context, name, text string) (tunnelfile.Problems, error)
	Tunnel(ctx context.Context, name string) (listing.Tunnel, error)
	Tunnels(ctx context.Context) ([]listing.Tunnel, error)
	Start(ctx context.Context, patterns []string) error
	Stop(ctx context.Context, patterns []string) error
	Restart(ctx context.Context, patterns []string) error
	Reconnect(ctx context.Context, patterns []string) error
	RestartRolling(ctx context.Context, patterns []string) error
	Reload(ctx context.Context) error
	// Attended is called when an agent has registered.
	Attended(ctx context.Context) error
	// User is the user that a tunnel of the system runs as.
	User(ctx context.Context, name string) (string, error)
	Statistics(ctx context.Context, name string) (tunnelfile.Report, error)
	Global(ctx context.Context) (listing.Global, error)
	// Subscribe calls f with every later change, in order, until cancel is called.
	Subscribe(f func(listing.Change)) (cancel func())
}

// callTime is how long a call may take. Most callers wait 25 s.
const callTime = 20 * time.Second

// ErrNameTaken says that another daemon runs on this bus.
var ErrNameTaken = errors.New(BusName + " is taken: another holdfastd runs on this bus")

// Serve answers on conn, which Connect made, until ctx ends (nil) or the bus goes away.
// With system set, conn is the system bus and only root may change anything.
func Serve(ctx context.Context, conn *bus.Conn, system bool, backend Backend) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	conn.Bound(system)
	s := &server{ctx: ctx, conn: conn, system: system, backend: backend, calls: make(chan func(*registry))}
	// All objects are exported once, before the name is requested: godbus cannot export while it
	// answers introspection.
	for name, object := range map[string]any{
		ManagerInterface:        managerObject{s},
		TunnelInterface:         tunnelObject{s},
		AgentInterface:          agentObject{s},
		propertiesInterface:     propertiesObject{s},
		objectManagerInterface:  objectManagerObject{s},
		introspectableInterface: introspectableObject{s},
	} {
		if err := conn.Export(object, EntryPath, name, true); err != nil {
			return err
		}
	}
	defer backend.Subscribe(s.publish)()

	lost := make(chan struct{}, 1)
	ignore, err := conn.Listen(ctx, func(*dbus.Signal) {
		select {
		case lost <- struct{}{}:
		default:
		}
	}, bus.Match{Sender: bus.Name, Interface: bus.Name, Member: "NameLost", Arg0: BusName})
	if err != nil {
		return err
	}
	defer ignore()

	reply, err := conn.RequestName(BusName, dbus.NameFlagDoNotQueue)
	if err != nil {
		return fmt.Errorf("asking the bus for %s: %w", BusName, err)
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return ErrNameTaken
	}
	var agents registry
	for {
		select {
		case <-ctx.Done():
			_, err := conn.ReleaseName(BusName)
			return err
		case call := <-s.calls:
			call(&agents)
		case <-lost:
			return errors.New(BusName + " was taken away")
		case <-conn.Done():
			return errors.New("the message bus went away")
		}
	}
}

// server is what all exported objects share. It computes its answers from the backend. Only the
// goroutine that runs Serve uses the agents.
type server struct {
	ctx     context.Context // as long as Serve
	conn    *bus.Conn
	system  bool
	backend Backend
	calls   chan func(*registry)
}

// answer returns what f does within the time that a call has.
func answer[T any](s *server, f func(ctx context.Context) (T, error)) (T, *dbus.Error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTime)
	defer cancel()
	v, err := f(ctx)
	return v, dbusError(err)
}

// answerFor is answer for what concerns one tunnel.
func answerFor[T any](s *server, name string, f func(ctx context.Context, name string) (T, error)) (T, *dbus.Error) {
	return answer(s, func(ctx context.Context) (T, error) { return f(ctx, name) })
}

// counted is what a tunnel counted until now.
func (s *server) counted(ctx context.Context, name string) (Statistics, error) {
	report, err := s.backend.Statistics(ctx, name)
	return statisticsOf(report, time.Now()), err
}

// do calls f for a message that asks to change something, if its sender may.
func (s *server) do(msg dbus.Message, f func(ctx context.Context) error) *dbus.Error {
	if err := s.allowed(msg); err != nil {
		return err
	}
	_, err := answer(s, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

// tunnelAt is the tunnel whose object is at path.
func (s *server) tunnelAt(path dbus.ObjectPath) (listing.Tunnel, *dbus.Error) {
	name, ok := tunnelfile.NameOfPath(string(path))
	if !ok {
		return listing.Tunnel{}, unknownObject(path)
	}
	t, err := answerFor(s, name, s.backend.Tunnel)
	if err != nil && errors.Is(goError(*err), listing.ErrNoSuchTunnel) {
		err = unknownObject(path)
	}
	return t, err
}

// publish announces a change that happened.
func (s *server) publish(c listing.Change) {
	switch c.Kind {
	case listing.Added:
		s.emit(EntryPath, objectManagerInterface+".InterfacesAdded", tunnelPath(c.New.Name), s.tunnelInterfaces(c.New))
	case listing.Removed:
		s.emit(EntryPath, objectManagerInterface+".InterfacesRemoved", tunnelPath(c.Old.Name), []string{TunnelInterface})
	case listing.Changed:
		changed := differing(properties(c.Old), properties(c.New))
		s.changed(tunnelPath(c.New.Name), TunnelInterface, changed, s.withhold(c.New, changed))
	case listing.GlobalChanged:
		changed := differing(properties(c.OldGlobal), properties(c.NewGlobal))
		var withheld []string
		if _, ok := changed["Problems"]; ok && s.system {
			delete(changed, "Problems")
			withheld = []string{"Problems"}
		}
		s.changed(EntryPath, ManagerInterface, changed, withheld)
	}
}

// changed announces changed properties, if there are any: properties with their values, and withheld
// ones, which not everybody may read, by name.
func (s *server) changed(path dbus.ObjectPath, iface string, properties map[string]dbus.Variant, withheld []string) {
	if len(properties)+len(withheld) > 0 {
		s.emit(path, propertiesInterface+".PropertiesChanged", iface, properties, sendableList(withheld))
	}
}

// emit sends a signal. It ignores errors: if the bus is gone, Serve ends.
func (s *server) emit(path dbus.ObjectPath, name string, values ...any) {
	_ = s.conn.Emit(path, name, values...)
}

func pathOf(msg dbus.Message) dbus.ObjectPath {
	path, _ := msg.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	return path
}

func senderOf(msg dbus.Message) string {
	sender, _ := msg.Headers[dbus.FieldSender].Value().(string)
	return sender
}

// unknownObjectName is the error of a call to an object that does not exist.
const unknownObjectName = "org.freedesktop.DBus.Error.UnknownObject"

func unknownObject(path dbus.ObjectPath) *dbus.Error {
	return dbus.NewError(unknownObjectName, []any{fmt.Sprintf("no object at %s", path)})
}

func unknownInterface(path dbus.ObjectPath, iface string) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.UnknownInterface", []any{fmt.Sprintf("%s has no interface %q", path, iface)})
}
