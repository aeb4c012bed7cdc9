package netwatch

import (
	"net"
	"net/netip"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// Route is how this machine would send to an address.
type Route struct {
	Local bool // the address is this machine's own
	Own   bool // not by the way to the Internet: a connected network, a VPN or a host route
}

// RouteTo asks the kernel for the route to an address. It sends nothing to the address. An interface
// that is down, or has no carrier or no address, is no route.
func RouteTo(addr netip.Addr) (Route, error) {
	addr = addr.Unmap()
	if addr.IsLoopback() {
		return Route{Local: true, Own: true}, nil
	}
	if addr.Zone() != "" { // a neighbour on that link
		link, err := net.InterfaceByName(addr.Zone())
		return Route{Own: err == nil && usableLink(link)}, err
	}
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return Route{}, err
	}
	defer conn.Close()
	request := &rtnetlink.RouteMessage{
		Family: unix.AF_INET6, DstLength: uint8(addr.BitLen()),
		Flags:      unix.RTM_F_FIB_MATCH, // the entry of the table, not one made for this address
		Attributes: rtnetlink.RouteAttributes{Dst: addr.AsSlice()},
	}
	if addr.Is4() {
		request.Family = unix.AF_INET
	}
	routes, err := conn.Route.Get(request)
	if err != nil || len(routes) == 0 {
		return Route{}, err
	}
	r := routes[0]
	if r.Type == unix.RTN_LOCAL {
		return Route{Local: true, Own: true}, nil
	}
	for _, index := range interfacesOf(r) {
		link, err := net.InterfaceByIndex(int(index))
		if err != nil || !usableLink(link) {
			continue
		}
		// A VPN for all traffic has the default route, or both halves of one.
		if r.DstLength > 1 || isTunnel(link) {
			return Route{Own: true}, nil
		}
	}
	return Route{}, nil
}

// usableLink says whether an interface is up, with a carrier and an address.
func usableLink(link *net.Interface) bool {
	addresses, err := link.Addrs()
	return link.Flags&net.FlagUp != 0 && link.Flags&net.FlagRunning != 0 && err == nil && len(addresses) > 0
}

// isTunnel says whether an interface is a tun device or WireGuard, as VPNs have them.
func isTunnel(link *net.Interface) bool {
	return link.Flags&net.FlagPointToPoint != 0 && len(link.HardwareAddr) == 0
}
