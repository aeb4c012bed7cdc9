package netwatch

import (
	"context"
	"log/slog"
	"net/netip"
)

// State is what the network is good for.
type State string

// The states of the network.
const (
	Online  State = "online"  // the Internet is there
	Limited State = "limited" // a network is there, the Internet is not
	Portal  State = "portal"  // a captive portal wants a person first
	Offline State = "offline" // no network
	Unknown State = "unknown" // nobody has said yet, or can say
)

// Network is a snapshot of what the network is like. Lists are sorted; two snapshots
// are compared by Equal.
type Network struct {
	State     State
	Source    string       // who says so: NetworkManager, networkd or netlink
	Primary   Connection   // the connection that the default route goes through; zero: none, or not known
	Active    []Connection // all that are active, VPNs too; only NetworkManager knows them
	Metered   bool         // NetworkManager calls the network metered, or guesses that it is
	Addresses []netip.Addr // source addresses of the default routes
}

// Connection is one connection as NetworkManager knows it.
type Connection struct {
	ID   string // as a person named it: "Hotel", "Wired connection 1"
	Type string // "802-11-wireless", "802-3-ethernet", "vpn", "wireguard", …
	VPN  bool
}

// Config is what a Watcher needs to know; the zero value is right for a daemon.
type Config struct {
	Log              *slog.Logger // nil: slog.Default()
	SystemBusAddress string       // empty: the system bus, as D-Bus finds it
}

// Sleep says that the machine is about to sleep (Going) or has woken up.
type Sleep struct {
	Going   bool
	release func()
}

// Release lets the machine sleep: call it as soon as the tunnels were told. It may be
// called more than once, and always: after waking up it does nothing.
func (s Sleep) Release() {
	if s.release != nil {
		s.release()
	}
}

// Watcher watches the network until its context ends.
type Watcher struct {
	networks chan Network
	sleeps   chan Sleep
}

// Watch starts to watch. It returns at once; the first Network comes as soon as it is known.
func Watch(ctx context.Context, c Config) *Watcher {
	return &Watcher{networks: make(chan Network), sleeps: make(chan Sleep)}
}

// Networks gives the network as it is now, first, and then each time it differs. Who
// reads late gets the latest only.
func (w *Watcher) Networks() <-chan Network { return w.networks }

// Sleeps tells of each sleep and each waking.
func (w *Watcher) Sleeps() <-chan Sleep { return w.sleeps }

// Perhaps says whether a connection to a server may succeed: only a network that is
// known to lead nowhere says no.
func (n Network) Perhaps() bool { return n.State == Online || n.State == Unknown }

// Allows says why these rules of a tunnel (OnlyOn=, NeverOn=, Metered=) keep it down on
// this network; empty: they do not.
func (n Network) Allows(onlyOn, neverOn []string, meteredOK bool) (reason string) { return "" }
