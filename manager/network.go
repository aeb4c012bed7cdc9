package manager

import (
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

// obstacle is what keeps a tunnel from running on a network.
type obstacle struct {
	why  fault.Reason // None if nothing does; with Rule it does not even listen
	text string       // for people: what the tunnel waits for, and what ends the wait
}

// blocks says whether there is an obstacle.
func (o obstacle) blocks() bool { return o.why != fault.None }

// ofWay says whether the obstacle depends on the way to the server.
func (o obstacle) ofWay() bool { return o.why == fault.Network || o.why == fault.Portal }

// obstacleOf decides whether a tunnel may run on a network (pure). NetworkManager's state is about
// the way to the Internet: a server that is reached in another way is tried all the same. A rule
// of the tunnel itself applies to every way.
func obstacleOf(t *tunnelfile.Tunnel, way Way, n netwatch.Network, asleep bool) obstacle {
	if n.State != netwatch.Offline {
		if reason := n.Allows(t.OnlyOn, t.NeverOn, t.Metered); reason != "" {
			return obstacle{fault.Rule, reason + "; it starts by itself on a network that the rule allows"}
		}
	}
	switch {
	case way == WayHere:
		return obstacle{}
	case asleep:
		return obstacle{fault.Sleep, "this machine goes to sleep; it goes on when the machine wakes"}
	case n.Perhaps() || way == WayOwn:
		return obstacle{}
	case n.State == netwatch.Portal:
		return obstacle{fault.Portal, n.Reason() + "; it goes on by itself once you have logged in there with a browser"}
	}
	return obstacle{fault.Network, n.Reason() + "; it goes on by itself once there is a way to the server"}
}

// moved says whether tunnels that are up should be probed.
func moved(old, now netwatch.Network) bool {
	return now.Perhaps() && (!old.Perhaps() || now.Moved(old))
}
