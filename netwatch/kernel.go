package netwatch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kernelReading is what the kernel says of its routes and addresses.
type kernelReading struct {
	interfaces []string     // that a default route goes through, and that have a carrier; sorted
	addresses  []netip.Addr // theirs; sorted
	connected  bool         // some interface but the loopback has a carrier and an address
	unreadable bool         // nothing of this is known
}

func (k kernelReading) defaultRoute() bool { return len(k.interfaces) > 0 }

func (k kernelReading) networkState() State {
	switch {
	case k.defaultRoute():
		return Online
	case k.connected, k.unreadable:
		// No way to the Internet, but perhaps one to a server in the local network.
		return Unknown
	}
	return Offline
}

// kernelWatch is a netlink socket to ask by. (Hints come by another one.)
type kernelWatch struct{ conn *rtnetlink.Conn }

// watchKernel opens two netlink sockets, one to ask by and one that hears of changes,
// and closes them when ctx ends.
func watchKernel(ctx context.Context, hint func()) (*kernelWatch, error) {
	events, err := rtnetlink.Dial(&netlink.Config{
		Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
			unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE,
	})
	if err != nil {
		return nil, err
	}
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		events.Close()
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		events.Close()
		conn.Close()
	})
	go func() {
		changes := changes{make(map[uint32]uint32)}
		for {
			messages, _, err := events.Receive()
			if errors.Is(err, os.ErrClosed) || ctx.Err() != nil {
				return
			}
			// An error is as good as a hint: most likely there was too much to hear (ENOBUFS).
			if err != nil || anyOf(messages, changes.matter) {
				hint()
			}
		}
	}()
	return &kernelWatch{conn}, nil
}

// changes tells messages that may be about being online from the others: routes to
// single networks come and go by the thousand on some machines, and a Wi-Fi card tells
// of each scan by a message that says of its link what the one before said.
type changes struct{ flags map[uint32]uint32 } // of links, by index

func (c changes) matter(m rtnetlink.Message) bool {
	switch m := m.(type) {
	case *rtnetlink.RouteMessage:
		return m.DstLength <= 1
	case *rtnetlink.LinkMessage:
		if len(c.flags) > 1000 { // containers come and go, their indices for ever up
			clear(c.flags)
		}
		before, known := c.flags[m.Index]
		c.flags[m.Index] = m.Flags
		return !known || before != m.Flags
	}
	return true
}

// anyOf asks of every message, since each may be remembered.
func anyOf(messages []rtnetlink.Message, matter func(rtnetlink.Message) bool) bool {
	found := false
	for _, m := range messages {
		if matter(m) {
			found = true
		}
	}
	return found
}

// isDefault says whether a route leads to everywhere, or to a half of it: VPNs put two
// halves in front of the default route.
func isDefault(r rtnetlink.RouteMessage) bool {
	const down = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN
	return r.DstLength <= 1 && r.Type == unix.RTN_UNICAST && r.Flags&down == 0
}

// read asks for links, addresses and routes. A nil kernelWatch knows nothing.
func (k *kernelWatch) read() (kernelReading, error) {
	unreadable := kernelReading{unreadable: true}
	if k == nil {
		return unreadable, errors.New("no netlink socket")
	}
	links, err := k.conn.Link.List()
	if err != nil {
		return unreadable, err
	}
	addresses, err := k.conn.Address.List()
	if err != nil {
		return unreadable, err
	}
	routes, err := k.conn.Route.List()
	if err != nil {
		return unreadable, err
	}
	return summarize(links, addresses, routes), nil
}

// summarize is pure, so that a test can say what the kernel would.
func summarize(links []rtnetlink.LinkMessage, addresses []rtnetlink.AddressMessage, routes []rtnetlink.RouteMessage) kernelReading {
	var reading kernelReading
	const up = unix.IFF_UP | unix.IFF_LOWER_UP
	names := make(map[uint32]string) // of interfaces that could carry something
	for _, link := range links {
		if link.Flags&up == up && link.Flags&unix.IFF_LOOPBACK == 0 && link.Attributes != nil {
			names[link.Index] = link.Attributes.Name
		}
	}
	through := make(map[uint32]bool)
	for _, route := range routes {
		if !isDefault(route) {
			continue
		}
		hops := []uint32{route.Attributes.OutIface}
		for _, hop := range route.Attributes.Multipath {
			hops = append(hops, hop.Hop.IfIndex)
		}
		for _, index := range hops {
			if name, ok := names[index]; ok && !through[index] {
				through[index] = true
				reading.interfaces = append(reading.interfaces, name)
			}
		}
	}
	for _, message := range addresses {
		address, ok := usable(message)
		if _, up := names[message.Index]; !ok || !up {
			continue
		}
		reading.connected = true
		if through[message.Index] {
			reading.addresses = append(reading.addresses, address)
		}
	}
	slices.Sort(reading.interfaces)
	slices.SortFunc(reading.addresses, netip.Addr.Compare)
	reading.addresses = slices.Compact(reading.addresses)
	return reading
}

// usable is the address of a message, if something in another network could answer to it.
func usable(m rtnetlink.AddressMessage) (netip.Addr, bool) {
	if m.Attributes == nil || m.Scope != unix.RT_SCOPE_UNIVERSE && m.Scope != unix.RT_SCOPE_SITE {
		return netip.Addr{}, false
	}
	const unfinished = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	if m.Attributes.Flags&unfinished != 0 || uint32(m.Flags)&unfinished != 0 {
		return netip.Addr{}, false
	}
	return firstAddr(m.Attributes.Local, m.Attributes.Address) // Address is the peer's on a point-to-point link
}

func firstAddr(ips ...net.IP) (netip.Addr, bool) {
	for _, ip := range ips {
		if address, ok := netip.AddrFromSlice(ip); ok {
			return address.Unmap(), true
		}
	}
	return netip.Addr{}, false
}
