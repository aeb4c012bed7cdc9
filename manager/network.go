package manager

import (
	"net"
	"net/netip"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

// obstacle is what keeps a tunnel from running on a network.
type obstacle struct {
	why  fault.Reason // None: nothing does; Rule: it does not even listen
	text string       // for people
}

// here says whether there is an obstacle.
func (o obstacle) here() bool { return o.why != fault.None }

// obstacleOf decides whether a tunnel may run on a network (pure, but for routed). A
// tunnel to this very machine needs no network, and one to a machine that the kernel
// has a route to needs none that leads anywhere else; a rule of the tunnel's own holds
// for both all the same.
func obstacleOf(t *tunnelfile.Tunnel, server netip.Addr, n netwatch.Network, asleep bool) obstacle {
	if n.State != netwatch.Offline {
		if reason := n.Allows(t.OnlyOn, t.NeverOn, t.Metered); reason != "" {
			return obstacle{fault.Rule, reason}
		}
	}
	switch {
	case server.IsLoopback():
		return obstacle{}
	case asleep:
		return obstacle{fault.Sleep, "this machine goes to sleep"}
	case n.Perhaps():
		return obstacle{}
	case n.State == netwatch.Offline && server.IsValid() && routed(server):
		return obstacle{}
	}
	why := fault.Network
	if n.State == netwatch.Portal {
		why = fault.Portal
	}
	return obstacle{why, n.Reason()}
}

// moved says whether tunnels that are up had better be probed.
func moved(old, now netwatch.Network) bool {
	return now.Perhaps() && (!old.Perhaps() || now.Moved(old))
}

// routed says whether the kernel has a route to an address, as to a virtual machine
// while no cable is in. Connecting a datagram socket asks it and sends nothing.
func routed(addr netip.Addr) bool {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 22)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
