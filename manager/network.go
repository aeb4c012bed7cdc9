package manager

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

// obstacle is what keeps a tunnel from running on a network.
type obstacle struct {
	reason string // for people; empty: nothing does
	rule   bool   // one of the tunnel's own rules: then it does not even listen
}

// obstacleOf decides whether a tunnel may run on a network (pure). A tunnel to this
// very machine needs no network; a rule of the tunnel's own holds for it all the same.
func obstacleOf(t *tunnelfile.Tunnel, n netwatch.Network, asleep bool) obstacle {
	if reason := n.Allows(t.OnlyOn, t.NeverOn, t.Metered); reason != "" && n.State != netwatch.Offline {
		return obstacle{reason, true}
	}
	switch {
	case staysHere(t):
		return obstacle{}
	case asleep:
		return obstacle{reason: "this machine goes to sleep"}
	case n.Perhaps():
		return obstacle{}
	}
	on := ""
	if n.Primary.ID != "" {
		on = " on '" + n.Primary.ID + "'"
	}
	switch n.State {
	case netwatch.Portal:
		return obstacle{reason: "captive portal" + on}
	case netwatch.Limited:
		return obstacle{reason: "no way to the Internet" + on}
	}
	return obstacle{reason: "no network"}
}

// moved says whether tunnels that are up had better be probed: their routes or their
// addresses may no longer be what they were.
func moved(old, now netwatch.Network) bool {
	return now.Perhaps() && (!old.Perhaps() ||
		old.Primary != now.Primary ||
		!slices.Equal(old.Addresses, now.Addresses) ||
		!slices.Equal(vpns(old), vpns(now)))
}

func vpns(n netwatch.Network) []string {
	var ids []string
	for _, c := range n.Active {
		if c.VPN {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// staysHere says whether the destination is plainly this machine. What only
// ssh_config(5) knows is not asked: that would cost an ssh for each tunnel.
func staysHere(t *tunnelfile.Tunnel) bool {
	host := strings.TrimPrefix(t.Destination, "ssh://")
	host = host[strings.LastIndexByte(host, '@')+1:]
	host = strings.TrimSuffix(host, "/")
	if inner, _, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok {
		host = inner
	} else if name, _, ok := strings.Cut(host, ":"); ok && strings.Count(host, ":") == 1 {
		host = name
	}
	for _, s := range t.SSH {
		switch strings.ToLower(s.Key) {
		case "hostname":
			host = s.Value
		case "proxyjump", "proxycommand":
			if !strings.EqualFold(s.Value, "none") {
				return false
			}
		}
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
