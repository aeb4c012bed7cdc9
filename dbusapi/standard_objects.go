package dbusapi

import (
	"fmt"
	"maps"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
)

// tunnelInterfaces is a tunnel in GetManagedObjects and InterfacesAdded.
func (s *server) tunnelInterfaces(t listing.Tunnel) map[string]map[string]dbus.Variant {
	return map[string]map[string]dbus.Variant{TunnelInterface: s.forAll(t)}
}

// propertiesOf returns the properties of the object that the message is for, by interface, as far as
// the sender may read them.
func (s *server) propertiesOf(msg dbus.Message) (map[string]map[string]dbus.Variant, *dbus.Error) {
	switch path := pathOf(msg); path {
	case EntryPath:
		g, err := answer(s, s.backend.Global)
		if err != nil {
			return nil, err
		}
		return map[string]map[string]dbus.Variant{ManagerInterface: properties(s.globalFor(g, msg)), AgentInterface: {}, objectManagerInterface: {}}, nil
	case tunnelsPath:
		return nil, nil
	}
	t, err := s.tunnelAt(pathOf(msg))
	if err != nil {
		return nil, err
	}
	return map[string]map[string]dbus.Variant{TunnelInterface: visible(t, s.mayRead(msg, t))}, nil
}

// propertiesObject is org.freedesktop.DBus.Properties, on every object.
type propertiesObject struct{ *server }

func (o propertiesObject) Get(msg dbus.Message, iface, name string) (dbus.Variant, *dbus.Error) {
	none := dbus.MakeVariant("")
	all, err := o.GetAll(msg, iface)
	if err != nil {
		return none, err
	}
	v, ok := all[name]
	if !ok && iface == TunnelInterface && slices.Contains(fromFile, name) {
		return none, accessDenied("only who may read the tunnel's file may know " + name)
	}
	if !ok {
		return none, unknownProperty(pathOf(msg), iface, name)
	}
	return v, nil
}

// GetAll returns the properties of the interface, or of all interfaces if it is "".
func (o propertiesObject) GetAll(msg dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	byInterface, err := o.propertiesOf(msg)
	if err != nil {
		return nil, err
	}
	switch iface {
	case "":
		all := make(map[string]dbus.Variant)
		for _, properties := range byInterface {
			maps.Copy(all, properties)
		}
		return all, nil
	case propertiesInterface, introspectableInterface, peerInterface:
		return map[string]dbus.Variant{}, nil
	}
	properties, ok := byInterface[iface]
	if !ok {
		return nil, unknownInterface(pathOf(msg), iface)
	}
	return properties, nil
}

// Set is always an error: no property of the contract can be written.
func (o propertiesObject) Set(msg dbus.Message, iface, name string, _ dbus.Variant) *dbus.Error {
	if _, err := o.Get(msg, iface, name); err != nil {
		return err
	}
	return dbus.NewError("org.freedesktop.DBus.Error.PropertyReadOnly", []any{fmt.Sprintf("%s.%s is read-only: change the tunnel file with UpdateTunnel", iface, name)})
}

func unknownProperty(path dbus.ObjectPath, iface, name string) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{fmt.Sprintf("%s has no property %s.%s", path, iface, name)})
}

// objectManagerObject is org.freedesktop.DBus.ObjectManager, on the entry object.
type objectManagerObject struct{ *server }

func (o objectManagerObject) GetManagedObjects(msg dbus.Message) (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
	if err := onEntry(msg, objectManagerInterface); err != nil {
		return nil, err
	}
	tunnels, err := answer(o.server, o.backend.Tunnels)
	if err != nil {
		return nil, err
	}
	objects := make(map[dbus.ObjectPath]map[string]map[string]dbus.Variant, len(tunnels))
	for _, t := range tunnels {
		objects[tunnelPath(t.Name)] = o.tunnelInterfaces(t)
	}
	return objects, nil
}
