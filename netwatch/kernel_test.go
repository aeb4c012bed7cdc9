package netwatch

import (
	"net"
	"net/netip"
	"reflect"
	"testing"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

func link(index uint32, name string, flags uint32) rtnetlink.LinkMessage {
	return rtnetlink.LinkMessage{Index: index, Flags: flags, Attributes: &rtnetlink.LinkAttributes{Name: name}}
}

func address(index uint32, scope uint8, flags uint32, ip string) rtnetlink.AddressMessage {
	return rtnetlink.AddressMessage{Index: index, Scope: scope, Attributes: &rtnetlink.AddressAttributes{Address: net.ParseIP(ip), Flags: flags}}
}

func defaultRoute(index uint32) rtnetlink.RouteMessage {
	return rtnetlink.RouteMessage{Type: unix.RTN_UNICAST, Attributes: rtnetlink.RouteAttributes{OutIface: index}}
}

func TestSummarize(t *testing.T) {
	const up = unix.IFF_UP | unix.IFF_LOWER_UP
	links := []rtnetlink.LinkMessage{
		link(1, "lo", up|unix.IFF_LOOPBACK), link(2, "eth0", up), link(3, "wlan0", up),
		link(4, "docker0", unix.IFF_UP), link(5, "wg0", up),
	}
	addresses := []rtnetlink.AddressMessage{
		address(1, unix.RT_SCOPE_HOST, 0, "127.0.0.1"),
		address(2, unix.RT_SCOPE_UNIVERSE, 0, "198.51.100.1"),
		address(2, unix.RT_SCOPE_LINK, 0, "fe80::1"),
		address(2, unix.RT_SCOPE_UNIVERSE, 0, "2001:db8::1"),
		address(2, unix.RT_SCOPE_UNIVERSE, unix.IFA_F_TENTATIVE, "2001:db8::2"),
		address(3, unix.RT_SCOPE_UNIVERSE, 0, "203.0.113.7"),
		address(4, unix.RT_SCOPE_UNIVERSE, 0, "172.17.0.1"),
		address(5, unix.RT_SCOPE_UNIVERSE, 0, "10.9.0.2"),
	}
	half := defaultRoute(5)
	half.DstLength = 1
	subnet := defaultRoute(2)
	subnet.DstLength = 24
	blackhole := defaultRoute(2)
	blackhole.Type = unix.RTN_BLACKHOLE
	unplugged := defaultRoute(2)
	unplugged.Flags = unix.RTNH_F_LINKDOWN
	multipath := defaultRoute(0)
	multipath.Attributes.Multipath = []rtnetlink.NextHop{{Hop: rtnetlink.RTNextHop{IfIndex: 2}}, {Hop: rtnetlink.RTNextHop{IfIndex: 3}}}

	for _, test := range []struct {
		name       string
		routes     []rtnetlink.RouteMessage
		interfaces []string
		addresses  []string
		state      State
	}{
		{"none", nil, nil, nil, Unknown},
		{"one", []rtnetlink.RouteMessage{subnet, defaultRoute(2)}, []string{"eth0"}, []string{"198.51.100.1", "2001:db8::1"}, Online},
		{"two, the same one twice", []rtnetlink.RouteMessage{defaultRoute(3), defaultRoute(2), defaultRoute(3)}, []string{"eth0", "wlan0"},
			[]string{"198.51.100.1", "203.0.113.7", "2001:db8::1"}, Online},
		{"a VPN's half", []rtnetlink.RouteMessage{half}, []string{"wg0"}, []string{"10.9.0.2"}, Online},
		{"without a carrier", []rtnetlink.RouteMessage{defaultRoute(4)}, nil, nil, Unknown},
		{"link down", []rtnetlink.RouteMessage{unplugged}, nil, nil, Unknown},
		{"black hole", []rtnetlink.RouteMessage{blackhole}, nil, nil, Unknown},
		{"multipath", []rtnetlink.RouteMessage{multipath}, []string{"eth0", "wlan0"}, []string{"198.51.100.1", "203.0.113.7", "2001:db8::1"}, Online},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := summarize(links, addresses, test.routes)
			var texts []string
			for _, a := range got.addresses {
				texts = append(texts, a.String())
			}
			if !reflect.DeepEqual(got.interfaces, test.interfaces) || !reflect.DeepEqual(texts, test.addresses) || got.networkState() != test.state {
				t.Errorf("got %v %v %s", got.interfaces, texts, got.networkState())
			}
		})
	}
	if got := summarize(links[:1], addresses, nil); got.networkState() != Offline {
		t.Errorf("with nothing but the loopback: %s", got.networkState())
	}
}

func TestPeerAddress(t *testing.T) {
	m := rtnetlink.AddressMessage{Attributes: &rtnetlink.AddressAttributes{Local: net.ParseIP("10.8.0.6"), Address: net.ParseIP("10.8.0.5")}}
	if got, ok := usable(m); !ok || got != netip.MustParseAddr("10.8.0.6") {
		t.Errorf("of a point-to-point link: %v %v", got, ok)
	}
}

func TestChanges(t *testing.T) {
	c := changes{make(map[uint32]uint32)}
	up, down := link(2, "eth0", unix.IFF_UP|unix.IFF_LOWER_UP), link(2, "eth0", unix.IFF_UP)
	everywhere, subnet := defaultRoute(2), defaultRoute(2)
	subnet.DstLength = 24
	for i, step := range []struct {
		message rtnetlink.Message
		want    bool
	}{
		{&up, true}, {&up, false}, {&down, true}, {&down, false}, {&up, true},
		{&everywhere, true}, {&subnet, false}, {&rtnetlink.AddressMessage{}, true},
	} {
		if got := c.matter(step.message); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}
