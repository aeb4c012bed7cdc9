package netwatch

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// State is what the network is good for.
type State string

// The states of the network.
const (
	Online  State = "online"  // the Internet is there, as far as anybody knows
	Limited State = "limited" // a network is there, the Internet is not
	Portal  State = "portal"  // a captive portal wants a person first
	Offline State = "offline" // no network
	Unknown State = "unknown" // nobody can say
)

// Who may say what the network is like.
const (
	SourceNetworkManager = "NetworkManager"
	SourceNetworkd       = "networkd"
	SourceNetlink        = "netlink"
)

// Network is a snapshot of what the network is like. Lists are sorted.
type Network struct {
	State  State
	Source string // who says so: one of the Source constants

	// Only NetworkManager knows these. While it does not run they stay the same as long as the
	// addresses do.
	Primary Connection   // the connection of the default route; zero if there is none, or it is not known
	Active  []Connection // all that are active, VPNs too
	Metered bool         // it calls the network metered, or guesses that it is

	Addresses []netip.Addr // on the interfaces that a default route goes through
}

// Connection is a connection as NetworkManager knows it.
type Connection struct {
	ID   string // as a person named it: "Hotel", "Wired connection 1"
	Type string // "802-11-wireless", "802-3-ethernet", "vpn", "wireguard", …
	VPN  bool
}

// Equal says whether two snapshots are the same.
func (n Network) Equal(o Network) bool {
	return n.State == o.State && n.Source == o.Source && n.Metered == o.Metered && !n.Moved(o)
}

// Moved says whether traffic may go another way than at o, because the addresses or the connections
// differ. SSH connections made then should be probed.
func (n Network) Moved(o Network) bool {
	return n.Primary != o.Primary || !slices.Equal(n.Active, o.Active) || !slices.Equal(n.Addresses, o.Addresses)
}

// Perhaps says whether it is worth trying to reach a server. It is false only if the network is known
// to lead nowhere.
func (n Network) Perhaps() bool { return n.State == Online || n.State == Unknown }

// Reason is why it is not worth trying, for people: "no network", "captive portal on 'Hotel'". It is
// "" if Perhaps is true.
func (n Network) Reason() string {
	on := ""
	if n.Primary.ID != "" {
		on = fmt.Sprintf(" on '%s'", n.Primary.ID)
	}
	switch n.State {
	case Offline:
		return "no network"
	case Portal:
		return "captive portal" + on
	case Limited:
		return "no Internet" + on
	}
	return ""
}

// Allows says why the rules of a tunnel forbid this network, "" if they do not. onlyOn and neverOn
// are the globs of OnlyOn= and NeverOn= for the ids of active connections; meteredOK is Metered=.
//
// Without NetworkManager the connections are not known. Then OnlyOn= forbids the network, and
// NeverOn= does not.
func (n Network) Allows(onlyOn, neverOn []string, meteredOK bool) (reason string) {
	if len(onlyOn) > 0 && !slices.ContainsFunc(n.Active, matches(onlyOn)) {
		rule := "OnlyOn=" + list(onlyOn)
		switch {
		case n.Primary.ID != "":
			return fmt.Sprintf("%s: on '%s' now", rule, n.Primary.ID)
		case n.Source != SourceNetworkManager:
			return rule + ": only NetworkManager knows which network this is, and it does not say"
		}
		return rule + ": on none of these now"
	}
	if i := slices.IndexFunc(n.Active, matches(neverOn)); i >= 0 {
		return fmt.Sprintf("NeverOn=%s: on '%s' now", list(neverOn), n.Active[i].ID)
	}
	if n.Metered && !meteredOK {
		if n.Primary.ID != "" {
			return fmt.Sprintf("Metered=no: '%s' is metered", n.Primary.ID)
		}
		return "Metered=no: the network is metered"
	}
	return ""
}

// list is globs in one line, with quotes around those that have blanks. It leaves out a glob that is
// the globs before it, joined: tunnelfile adds that one to a value without quotes, which may mean
// several names or one.
func list(globs []string) string {
	var quoted []string
	for i, glob := range globs {
		words := strings.Fields(glob)
		if n := len(words); n > 1 && n <= i && slices.Equal(words, globs[i-n:i]) {
			continue
		}
		if strings.Contains(glob, " ") {
			glob = "'" + glob + "'"
		}
		quoted = append(quoted, glob)
	}
	return strings.Join(quoted, " ")
}

// matches makes a test for connections whose id matches one of the globs. A "*" matches a "/" too.
func matches(globs []string) func(Connection) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	return func(c Connection) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			ok, err := path.Match(plain(glob), plain(c.ID))
			return ok && err == nil // a bad glob was refused with its file
		})
	}
}
