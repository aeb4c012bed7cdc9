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

	// What only NetworkManager knows. While it is away this stays as it was, as long
	// as the addresses do.
	Primary Connection   // the connection of the default route; zero: none, or not known
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

// Equal says whether two snapshots say the same.
func (n Network) Equal(o Network) bool {
	return n.State == o.State && n.Source == o.Source && n.Metered == o.Metered && !n.Moved(o)
}

// Moved says whether traffic may go another way than it did at o, so that connections
// made then are worth a probe: other addresses, or another set of connections.
func (n Network) Moved(o Network) bool {
	return n.Primary != o.Primary || !slices.Equal(n.Active, o.Active) || !slices.Equal(n.Addresses, o.Addresses)
}

// Perhaps says whether it is worth trying to reach a server: only a network that is
// known to lead nowhere says no.
func (n Network) Perhaps() bool { return n.State == Online || n.State == Unknown }

// Reason is why it is not worth trying, for people: "no network", "captive portal on
// 'Hotel'". It is empty where Perhaps says yes.
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

// Allows says why the rules of a tunnel keep it down on this network; empty: they do
// not. OnlyOn and neverOn are the globs of OnlyOn= and NeverOn= over the ids of active
// connections, meteredOK is Metered=.
//
// Where nobody knows the connections (no NetworkManager), OnlyOn= keeps a tunnel down
// and NeverOn= does not: each errs on the side that its name says.
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

// list is globs in one line, with quotes round those that have blanks. A glob that is
// those before it, joined, is left out: without quotes nobody can tell "two names" from
// "one name", so it counts as both, and was written once.
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

// matches makes a test for connections whose id one of the globs matches. A "/" in an id
// is a letter like any other.
func matches(globs []string) func(Connection) bool {
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	return func(c Connection) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			ok, err := path.Match(plain(glob), plain(c.ID))
			return ok && err == nil // a glob that is none was refused with its file
		})
	}
}
