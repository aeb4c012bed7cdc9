package dbusapi

import (
	_ "embed" // for the contract
	"encoding/xml"
	"sync"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Names of the contract.
const (
	BusName   = tunnelfile.BusName
	EntryPath = dbus.ObjectPath(tunnelfile.EntryPath)

	ManagerInterface = BusName + ".Manager"
	TunnelInterface  = BusName + ".Tunnel"
	AgentInterface   = BusName + ".Agent"
)

// tunnelsPath is the parent of all tunnel objects.
const tunnelsPath = EntryPath + "/tunnel"

// tunnelPath is the object of the tunnel of this name.
func tunnelPath(name string) dbus.ObjectPath { return dbus.ObjectPath(tunnelfile.ObjectPath(name)) }

// Standard interfaces; see the D-Bus specification.
const (
	introspectableInterface = "org.freedesktop.DBus.Introspectable"
	peerInterface           = "org.freedesktop.DBus.Peer"
	propertiesInterface     = bus.PropertiesInterface
	objectManagerInterface  = "org.freedesktop.DBus.ObjectManager"
)

// ContractXML is the contract, as installed in /usr/share/dbus-1/interfaces.
//
//go:embed io.github.holdfast.Holdfast1.xml
var ContractXML string

// contract is ContractXML by name of interface.
var contract = sync.OnceValue(func() map[string]introspect.Interface {
	var node introspect.Node
	if err := xml.Unmarshal([]byte(ContractXML), &node); err != nil {
		panic("dbusapi: the embedded contract is not XML: " + err.Error())
	}
	byName := make(map[string]introspect.Interface, len(node.Interfaces))
	for _, i := range node.Interfaces {
		byName[i.Name] = i
	}
	return byName
})
