package manager

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestObstacle(t *testing.T) {
	hotel := netwatch.Connection{ID: "Hotel", Type: "802-11-wireless"}
	on := func(s netwatch.State) netwatch.Network {
		return netwatch.Network{State: s, Source: netwatch.SourceNetworkManager, Primary: hotel, Active: []netwatch.Connection{hotel}}
	}
	offline := netwatch.Network{State: netwatch.Offline, Source: netwatch.SourceNetworkManager}
	metered := on(netwatch.Online)
	metered.Metered = true
	plain := tunnelfile.Tunnel{Metered: true}
	for _, c := range []struct {
		name    string
		tunnel  tunnelfile.Tunnel
		way     Way
		network netwatch.Network
		asleep  bool
		reason  string // in the obstacle's; empty: none
		rule    bool
	}{
		{"online", plain, WayOut, on(netwatch.Online), false, "", false},
		{"nobody knows", plain, WayOut, netwatch.Network{State: netwatch.Unknown}, false, "", false},
		{"offline", plain, WayOut, offline, false, "no network", false},
		{"offline, the server is here", plain, WayHere, offline, false, "", false},
		{"portal", plain, WayOut, on(netwatch.Portal), false, "captive portal on 'Hotel'", false},
		{"portal, the server is here", plain, WayHere, on(netwatch.Portal), false, "", false},
		{"limited", plain, WayOut, on(netwatch.Limited), false, "no Internet on 'Hotel'", false},
		{"offline, a neighbour", plain, WayOwn, offline, false, "", false},
		{"limited, a neighbour", plain, WayOwn, on(netwatch.Limited), false, "", false},
		{"portal, behind a VPN", plain, WayOwn, on(netwatch.Portal), false, "", false},
		{"sleep, a neighbour", plain, WayOwn, on(netwatch.Online), true, "sleep", false},
		{"sleep", plain, WayOut, on(netwatch.Online), true, "sleep", false},
		{"sleep, the server is here", plain, WayHere, on(netwatch.Online), true, "", false},
		{"not here", tunnelfile.Tunnel{Metered: true, NeverOn: []string{"Ho*"}}, WayOut, on(netwatch.Online), false, "NeverOn=Ho*", true},
		{"not here, though the server is", tunnelfile.Tunnel{Metered: true, NeverOn: []string{"Hotel"}}, WayHere, on(netwatch.Online), false, "NeverOn=Hotel", true},
		{"only elsewhere", tunnelfile.Tunnel{Metered: true, OnlyOn: []string{"Home"}}, WayOut, on(netwatch.Online), false, "OnlyOn=Home", true},
		{"only elsewhere, offline", tunnelfile.Tunnel{Metered: true, OnlyOn: []string{"Home"}}, WayOut, offline, false, "no network", false},
		{"costs", tunnelfile.Tunnel{Metered: false}, WayOut, metered, false, "Metered=no", true},
		{"costs, never mind", plain, WayOut, metered, false, "", false},
	} {
		o := obstacleOf(&c.tunnel, c.way, c.network, c.asleep)
		if o.blocks() != (c.reason != "") || !strings.Contains(o.text, c.reason) || (o.why == fault.Rule) != c.rule {
			t.Errorf("%s: %+v, want %q, rule %v", c.name, o, c.reason, c.rule)
		}
	}
}

func TestMoved(t *testing.T) {
	wifi, vpn := netwatch.Connection{ID: "wifi"}, netwatch.Connection{ID: "office", VPN: true}
	base := netwatch.Network{State: netwatch.Online, Primary: wifi, Active: []netwatch.Connection{wifi}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	change := func(f func(*netwatch.Network)) netwatch.Network { n := base; f(&n); return n }
	for _, c := range []struct {
		name     string
		old, now netwatch.Network
		want     bool
	}{
		{"nothing", base, base, false},
		{"metered", base, change(func(n *netwatch.Network) { n.Metered = true }), false},
		{"other address", base, change(func(n *netwatch.Network) { n.Addresses = nil }), true},
		{"vpn", base, change(func(n *netwatch.Network) { n.Active = []netwatch.Connection{wifi, vpn} }), true},
		{"goes", base, netwatch.Network{State: netwatch.Offline}, false},
		{"comes", change(func(n *netwatch.Network) { n.State = netwatch.Portal }), base, true},
	} {
		if got := moved(c.old, c.now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
