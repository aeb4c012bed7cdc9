package netwatch

import "testing"

func TestReason(t *testing.T) {
	for _, test := range []struct {
		network Network
		perhaps bool
		reason  string
	}{
		{Network{State: Online, Primary: wlan}, true, ""},
		{Network{State: Unknown}, true, ""},
		{Network{State: Offline}, false, "no network"},
		{Network{State: Portal, Primary: Connection{ID: "Hotel"}}, false, "captive portal on 'Hotel'"},
		{Network{State: Portal}, false, "captive portal"},
		{Network{State: Limited, Primary: Connection{ID: "Hotel"}}, false, "no Internet on 'Hotel'"},
	} {
		if got := test.network.Perhaps(); got != test.perhaps {
			t.Errorf("%+v: perhaps %v", test.network, got)
		}
		if got := test.network.Reason(); got != test.reason {
			t.Errorf("%+v: reason %q, want %q", test.network, got, test.reason)
		}
	}
}

func TestAllows(t *testing.T) {
	vpn := Connection{ID: "work/eu", Type: "wireguard", VPN: true}
	atHome := Network{State: Online, Source: SourceNetworkManager, Primary: wlan, Active: []Connection{wlan}}
	withVPN := atHome
	withVPN.Active = []Connection{wlan, vpn}
	metered := atHome
	metered.Metered = true
	nobody := Network{State: Online, Source: SourceNetlink}

	for _, test := range []struct {
		name            string
		network         Network
		onlyOn, neverOn []string
		meteredOK       bool
		want            string
	}{
		{name: "no rules", network: atHome, meteredOK: true},
		{name: "only on, here", network: atHome, onlyOn: []string{"Office", "Ho*"}, meteredOK: true},
		{name: "only on, elsewhere", network: atHome, onlyOn: []string{"Office*"}, meteredOK: true, want: "OnlyOn=Office*: on 'Home' now"},
		{name: "only on a VPN that is down", network: atHome, onlyOn: []string{"work*"}, meteredOK: true, want: "OnlyOn=work*: on 'Home' now"},
		{name: "only on a VPN that is up", network: withVPN, onlyOn: []string{"work*"}, meteredOK: true},
		{name: "never on, here", network: atHome, neverOn: []string{"H?me"}, meteredOK: true, want: "NeverOn=H?me: on 'Home' now"},
		{name: "a name with blanks", network: atHome, onlyOn: []string{"Wired connection 1", "x"}, meteredOK: true, want: "OnlyOn='Wired connection 1' x: on 'Home' now"},
		{name: "blanks and no quotes", network: atHome, onlyOn: []string{"My", "office", "My office", "x"}, meteredOK: true, want: "OnlyOn=My office x: on 'Home' now"},
		{name: "never on, elsewhere", network: atHome, neverOn: []string{"Hotel"}, meteredOK: true},
		{name: "never while a VPN is up", network: withVPN, neverOn: []string{"work*"}, meteredOK: true, want: "NeverOn=work*: on 'work/eu' now"},
		{name: "both", network: atHome, onlyOn: []string{"*"}, neverOn: []string{"Home"}, meteredOK: true, want: "NeverOn=Home: on 'Home' now"},
		{name: "metered", network: metered, want: "Metered=no: 'Home' is metered"},
		{name: "metered, and may be", network: metered, meteredOK: true},
		{name: "not metered", network: atHome},
		{name: "nobody knows, only on", network: nobody, onlyOn: []string{"*"}, meteredOK: true, want: "OnlyOn=*: only NetworkManager knows which network this is, and it does not say"},
		{name: "nobody knows, never on", network: nobody, neverOn: []string{"*"}, meteredOK: true},
		{name: "nobody knows, metered", network: nobody},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.network.Allows(test.onlyOn, test.neverOn, test.meteredOK); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestMoved(t *testing.T) {
	here := Network{State: Online, Source: SourceNetworkManager, Primary: wlan, Active: []Connection{wlan}, Addresses: home}
	for _, test := range []struct {
		name         string
		change       func(*Network)
		equal, moved bool
	}{
		{"nothing", func(*Network) {}, true, false},
		{"state", func(n *Network) { n.State = Limited }, false, false},
		{"source", func(n *Network) { n.Source = SourceNetlink }, false, false},
		{"metered", func(n *Network) { n.Metered = true }, false, false},
		{"primary", func(n *Network) { n.Primary.ID = "Office" }, false, true},
		{"VPN", func(n *Network) { n.Active = []Connection{wlan, {ID: "work", VPN: true}} }, false, true},
		{"address", func(n *Network) { n.Addresses = away }, false, true},
	} {
		now := here
		test.change(&now)
		if now.Equal(here) != test.equal || now.Moved(here) != test.moved {
			t.Errorf("%s: equal %v, moved %v", test.name, now.Equal(here), now.Moved(here))
		}
	}
}
