package netwatch

import (
	"net/netip"
	"reflect"
	"testing"
)

var (
	home    = []netip.Addr{netip.MustParseAddr("198.51.100.1")}
	away    = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
	routed  = kernelReading{interfaces: []string{"wlan0"}, addresses: home, connected: true}
	wlan    = Connection{ID: "Home", Type: "802-11-wireless"}
	managed = managerReading{state: stateConnectedGlobal, connectivity: connectivityFull, checks: true, primary: wlan, active: []Connection{wlan}}
)

// with is a copy of managed that is changed.
func with(change func(*managerReading)) *managerReading {
	m := managed
	change(&m)
	return &m
}

func TestCombine(t *testing.T) {
	online := Network{State: Online, Source: SourceNetworkManager, Primary: wlan, Active: []Connection{wlan}, Addresses: home}
	byKernel := online
	byKernel.Source = SourceNetlink
	metered := online
	metered.Metered = true

	tests := []struct {
		name     string
		manager  *managerReading
		networkd State
		kernel   kernelReading
		last     Network
		want     Network
		checking bool
	}{
		{name: "NetworkManager is online", manager: &managed, kernel: routed, want: online},
		{name: "metered", manager: with(func(m *managerReading) { m.meteredState = meteredGuessYes }), kernel: routed, want: metered},
		{
			name:    "NetworkManager is disconnected",
			manager: with(func(m *managerReading) { m.state = 20 }), last: online,
			want: Network{State: Offline, Source: SourceNetworkManager},
		},
		{
			name:    "NetworkManager is connecting, the route is there already",
			manager: with(func(m *managerReading) { m.state = 40 }), kernel: routed,
			want: Network{State: Offline, Source: SourceNetworkManager},
		},
		{
			name:    "NetworkManager leaves the card to ifupdown",
			manager: with(func(m *managerReading) { m.state, m.foreign = 20, true }), kernel: routed,
			want: Network{State: Online, Source: SourceNetlink, Addresses: home},
		},
		{
			name:    "NetworkManager leaves the card to networkd",
			manager: with(func(m *managerReading) { m.state, m.foreign = 20, true }), networkd: Online, kernel: routed,
			want: Network{State: Online, Source: SourceNetworkd, Addresses: home},
		},
		{
			name:    "not checked yet",
			manager: with(func(m *managerReading) { m.connectivity = connectivityUnknown }), kernel: routed,
			want:     Network{State: Unknown, Source: SourceNetworkManager, Primary: wlan, Active: []Connection{wlan}, Addresses: home},
			checking: true,
		},
		{
			name:    "NetworkManager was restarted and is taking over",
			manager: with(func(m *managerReading) { m.state, m.startup = 20, true }), kernel: routed, last: byKernel,
			want: byKernel,
		},
		{
			name:    "NetworkManager was restarted, and the card is another",
			manager: with(func(m *managerReading) { m.state, m.startup = 20, true }), kernel: kernelReading{}, last: byKernel,
			want: Network{State: Offline, Source: SourceNetworkManager},
		},
		{name: "NetworkManager is away, nothing moved", kernel: routed, last: online, want: byKernel},
		{
			name: "NetworkManager is away, and the address is another", kernel: kernelReading{interfaces: []string{"wlan0"}, addresses: away}, last: online,
			want: Network{State: Online, Source: SourceNetlink, Addresses: away},
		},
		{name: "NetworkManager is silent, nothing moved", manager: &managerReading{silent: true}, kernel: routed, last: online, want: online},
		{
			name: "NetworkManager is silent, a captive portal before", manager: &managerReading{silent: true}, kernel: routed,
			last: Network{State: Portal, Source: SourceNetworkManager, Addresses: home},
			want: Network{State: Portal, Source: SourceNetworkManager, Addresses: home},
		},
		{
			name: "NetworkManager is silent, the cable is out", manager: &managerReading{silent: true}, last: online,
			want: Network{State: Offline, Source: SourceNetlink},
		},
		{name: "NetworkManager is silent as it starts", manager: &managerReading{silent: true}, kernel: routed, last: byKernel, want: byKernel},
		{name: "networkd is online", networkd: Online, kernel: routed, want: Network{State: Online, Source: SourceNetworkd, Addresses: home}},
		{name: "networkd is offline", networkd: Offline, want: Network{State: Offline, Source: SourceNetworkd}},
		{name: "networkd is offline, but not in charge", networkd: Offline, kernel: routed, want: Network{State: Online, Source: SourceNetlink, Addresses: home}},
		{name: "kernel: nothing", want: Network{State: Offline, Source: SourceNetlink}},
		{name: "kernel: a local network", kernel: kernelReading{connected: true}, want: Network{State: Unknown, Source: SourceNetlink}},
		{name: "kernel: does not say", kernel: kernelReading{unreadable: true}, want: Network{State: Unknown, Source: SourceNetlink}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, checking := combine(test.manager, test.networkd, test.kernel, test.last)
			if !reflect.DeepEqual(got, test.want) || checking != test.checking {
				t.Errorf("got  %+v, %v\nwant %+v, %v", got, checking, test.want, test.checking)
			}
		})
	}
}

func TestManagerState(t *testing.T) {
	for _, test := range []struct {
		state, connectivity uint32
		checks              bool
		want                State
	}{
		{0, 0, true, Offline},
		{10, 4, true, Offline}, // asleep
		{20, 4, true, Offline},
		{40, 0, true, Offline},
		{50, 3, true, Limited},
		{60, 0, true, Unknown},
		{60, 1, true, Limited},
		{60, 2, true, Portal},
		{60, 3, true, Limited},
		{70, 4, true, Online},
		// Without a check the connectivity says nothing.
		{50, 3, false, Unknown},
		{60, 2, false, Unknown},
		{70, 0, false, Online},
		{70, 4, false, Online},
	} {
		m := managerReading{state: test.state, connectivity: test.connectivity, checks: test.checks}
		if got := m.networkState(); got != test.want {
			t.Errorf("state %d, connectivity %d, checks %v: %s, want %s", test.state, test.connectivity, test.checks, got, test.want)
		}
	}
}
