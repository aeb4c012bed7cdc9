package netwatch

import (
	"net"
	"net/netip"
	"testing"
)

// TestRouteTo holds what is so on every machine; where a network is needed, see the tests of
// held tunnels.
func TestRouteTo(t *testing.T) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	mine := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.1.2.3"), netip.MustParseAddr("::1")}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
			mine = append(mine, prefix.Addr())
		}
	}
	for _, addr := range mine {
		if r, err := RouteTo(addr); err != nil || !r.Local || !r.Own {
			t.Errorf("%v: %+v, %v", addr, r, err)
		}
	}
	// This one has at most the default route.
	if r, _ := RouteTo(netip.MustParseAddr("192.88.99.77")); r.Local || r.Own {
		t.Errorf("%+v", r)
	}
}
