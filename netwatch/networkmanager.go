package netwatch

import (
	"context"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// Names of NetworkManager on the system bus, see NetworkManager's D-Bus reference.
const (
	managerName      = "org.freedesktop.NetworkManager"
	managerPath      = "/org/freedesktop/NetworkManager"
	managerInterface = "org.freedesktop.NetworkManager"
	activePath       = managerPath + "/ActiveConnection"
	activeInterface  = managerInterface + ".Connection.Active"
	deviceInterface  = managerInterface + ".Device"
)

// Values of NMState, NMConnectivityState, NMMetered, NMActiveConnectionState and
// NMDeviceState that matter here.
const (
	stateConnectedLocal  = 50
	stateConnectedGlobal = 70

	connectivityUnknown = 0
	connectivityPortal  = 2
	connectivityFull    = 4

	meteredYes      = 1
	meteredGuessYes = 3

	activeActivated = 2

	deviceUnmanaged = 10
)

// managerReading is what NetworkManager says.
type managerReading struct {
	silent bool // it runs and does not answer: the other fields are zero

	state        uint32 // NMState
	connectivity uint32 // NMConnectivityState
	checks       bool   // it checks whether the Internet is there
	startup      bool   // it has just started, and is still taking over what exists
	meteredState uint32 // NMMetered
	primary      Connection
	active       []Connection

	// foreign says that it is not connected while a default route goes through an interface that
	// it does not manage: it is not in charge.
	foreign bool
}

func (m managerReading) metered() bool {
	return m.meteredState == meteredYes || m.meteredState == meteredGuessYes
}

// checking says that NetworkManager is checking whether the Internet is there.
func (m managerReading) checking() bool {
	return m.state >= stateConnectedLocal && m.checks && m.connectivity == connectivityUnknown
}

func (m managerReading) networkState() State {
	switch {
	case m.state < stateConnectedLocal: // asleep, disconnected, disconnecting, connecting
		return Offline
	case !m.checks:
		// It calls a default route "global". Without one there may still be a server in
		// the local network.
		if m.state == stateConnectedGlobal {
			return Online
		}
		return Unknown
	}
	switch m.connectivity {
	case connectivityFull:
		return Online
	case connectivityPortal:
		return Portal
	case connectivityUnknown:
		return Unknown
	}
	return Limited // none or limited: there is a connection, but not to the Internet
}

// readNetworkManager asks NetworkManager. The reading is nil if it does not run. The error says why
// it is silent. interfaces are those of the kernel's default routes.
func (b *systemBus) readNetworkManager(ctx context.Context, interfaces []string) (*managerReading, error) {
	properties, err := b.Properties(ctx, managerName, managerPath, managerInterface)
	if err != nil {
		if bus.NoOwner(err) {
			return nil, nil
		}
		return &managerReading{silent: true}, err
	}
	m := &managerReading{
		state:        value[uint32](properties, "State"),
		connectivity: value[uint32](properties, "Connectivity"),
		checks:       value[bool](properties, "ConnectivityCheckAvailable") && value[bool](properties, "ConnectivityCheckEnabled"),
		startup:      value[bool](properties, "Startup"),
		meteredState: value[uint32](properties, "Metered"),
	}
	primary := value[dbus.ObjectPath](properties, "PrimaryConnection")
	for _, path := range value[[]dbus.ObjectPath](properties, "ActiveConnections") {
		active, err := b.Properties(ctx, managerName, path, activeInterface)
		if err != nil {
			if ctx.Err() != nil {
				return &managerReading{silent: true}, err
			}
			continue // it has ended meanwhile; the signal of that will be a hint
		}
		c := Connection{ID: value[string](active, "Id"), Type: value[string](active, "Type")}
		c.VPN = value[bool](active, "Vpn") || c.Type == "wireguard"
		if c.Type == "loopback" || value[uint32](active, "State") != activeActivated {
			continue
		}
		m.active = append(m.active, c)
		if path == primary {
			m.primary = c
		}
	}
	slices.SortFunc(m.active, func(x, y Connection) int {
		return strings.Compare(x.ID+"\x00"+x.Type, y.ID+"\x00"+y.Type)
	})
	if m.state < stateConnectedLocal {
		m.foreign = slices.ContainsFunc(interfaces, func(name string) bool { return !b.manages(ctx, name) })
	}
	return m, nil
}

// manages says whether NetworkManager manages a network interface.
func (b *systemBus) manages(ctx context.Context, name string) bool {
	var path dbus.ObjectPath
	err := b.call(ctx, managerName, managerPath, managerInterface+".GetDeviceByIpIface", name).Store(&path)
	if err != nil {
		return false
	}
	device, err := b.Properties(ctx, managerName, path, deviceInterface)
	return err == nil && value[uint32](device, "State") > deviceUnmanaged
}
