package dbusapi

import (
	"encoding/xml"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

// propertiesData and objectManagerData describe two standard interfaces as the D-Bus specification does.
var (
	propertiesData = introspect.Interface{
		Name: propertiesInterface,
		Methods: []introspect.Method{
			{Name: "Get", Args: []introspect.Arg{{Name: "interface_name", Type: "s", Direction: "in"}, {Name: "property_name", Type: "s", Direction: "in"}, {Name: "value", Type: "v", Direction: "out"}}},
			{Name: "GetAll", Args: []introspect.Arg{{Name: "interface_name", Type: "s", Direction: "in"}, {Name: "props", Type: "a{sv}", Direction: "out"}}},
			{Name: "Set", Args: []introspect.Arg{{Name: "interface_name", Type: "s", Direction: "in"}, {Name: "property_name", Type: "s", Direction: "in"}, {Name: "value", Type: "v", Direction: "in"}}},
		},
		Signals: []introspect.Signal{
			{Name: "PropertiesChanged", Args: []introspect.Arg{{Name: "interface_name", Type: "s"}, {Name: "changed_properties", Type: "a{sv}"}, {Name: "invalidated_properties", Type: "as"}}},
		},
	}
	objectManagerData = introspect.Interface{
		Name: objectManagerInterface,
		Methods: []introspect.Method{
			{Name: "GetManagedObjects", Args: []introspect.Arg{{Name: "objpath_interfaces_and_properties", Type: "a{oa{sa{sv}}}", Direction: "out"}}},
		},
		Signals: []introspect.Signal{
			{Name: "InterfacesAdded", Args: []introspect.Arg{{Name: "object_path", Type: "o"}, {Name: "interfaces_and_properties", Type: "a{sa{sv}}"}}},
			{Name: "InterfacesRemoved", Args: []introspect.Arg{{Name: "object_path", Type: "o"}, {Name: "interfaces", Type: "as"}}},
		},
	}
)

// introspection is the answer of Introspect on an object with these interfaces of the contract, the
// standard ones, and these children.
func introspection(interfaces, children []string) (string, error) {
	node := introspect.Node{Interfaces: []introspect.Interface{introspect.PeerData, introspect.IntrospectData, propertiesData}}
	for _, name := range interfaces {
		if name == objectManagerInterface {
			node.Interfaces = append(node.Interfaces, objectManagerData)
			continue
		}
		node.Interfaces = append(node.Interfaces, contract()[name])
	}
	for _, name := range children {
		node.Children = append(node.Children, introspect.Node{Name: name})
	}
	text, err := xml.Marshal(node)
	return strings.TrimSpace(introspect.IntrospectDeclarationString) + "\n" + string(text), err
}

// introspectableObject answers on every path at and below the entry object.
type introspectableObject struct{ *server }

func (o introspectableObject) Introspect(msg dbus.Message) (string, *dbus.Error) {
	var interfaces, children []string
	switch path := pathOf(msg); path {
	case EntryPath:
		interfaces = []string{objectManagerInterface, ManagerInterface, AgentInterface}
		children = []string{"tunnel"}
	case tunnelsPath:
		tunnels, err := answer(o.server, o.backend.Tunnels)
		if err != nil {
			return "", err
		}
		for _, t := range tunnels {
			children = append(children, strings.TrimPrefix(string(tunnelPath(t.Name)), string(tunnelsPath)+"/"))
		}
	default:
		if _, err := o.tunnelAt(path); err != nil {
			return "", err
		}
		interfaces = []string{TunnelInterface}
	}
	text, err := introspection(interfaces, children)
	return text, dbusError(err)
}
