package netwatch

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// kernelReading is the kernel's routes and addresses.
type kernelReading struct {
	interfaces []string     // with a carrier and a default route; sorted
	addresses  []netip.Addr // of these interfaces; sorted
	connected  bool         // an interface other than the loopback has a carrier and an address
	unreadable bool         // nothing is known
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

// kernelWatch is a netlink socket for questions. (Hints come from another one.)
type kernelWatch struct{ conn *rtnetlink.Conn }

// watchKernel opens two netlink sockets, one for questions and one for hints, and closes them when
// ctx ends.
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
			// An error is a hint too: most likely there were too many messages (ENOBUFS).
			found := err != nil
			for _, m := range messages {
				found = changes.matter(m) || found // matter remembers links, so call it for every message
			}
			if found {
				hint()
			}
		}
	}()
	return &kernelWatch{conn}, nil
}

// changes finds the messages that may be about being online. Some machines have thousands of route
// changes to single networks, and a Wi-Fi card sends the same link message at each scan.
type changes struct{ flags map[uint32]uint32 } // of links, by index

func (c changes) matter(m rtnetlink.Message) bool {
	switch m := m.(type) {
	case *rtnetlink.RouteMessage:
		return m.DstLength <= 1
	case *rtnetlink.LinkMessage:
		if len(c.flags) > 1000 { // each container has a new index
			clear(c.flags)
		}
		before, known := c.flags[m.Index]
		c.flags[m.Index] = m.Flags
		return !known || before != m.Flags
	}
	return true
}

// isDefault says whether a route is a default route, or one half of one: VPNs make two halves, which
// win over the default route.
func isDefault(r rtnetlink.RouteMessage) bool {
	const down = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN
	return r.DstLength <= 1 && r.Type == unix.RTN_UNICAST && r.Flags&down == 0
}

// read asks for links, addresses and routes. A nil kernelWatch has no socket.
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

// summarize makes a reading of the kernel's messages (pure).
func summarize(links []rtnetlink.LinkMessage, addresses []rtnetlink.AddressMessage, routes []rtnetlink.RouteMessage) kernelReading {
	var reading kernelReading
	const up = unix.IFF_UP | unix.IFF_LOWER_UP
	names := make(map[uint32]string) // of interfaces that are up and have a carrier
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
		for _, index := range interfacesOf(route) {
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

// interfacesOf is the indices of the interfaces that a route goes through.
func interfacesOf(route rtnetlink.RouteMessage) []uint32 {
	indices := []uint32{route.Attributes.OutIface}
	for _, hop := range route.Attributes.Multipath {
		indices = append(indices, hop.Hop.IfIndex)
	}
	return indices
}

// usable is the address of a message, if other networks can answer to it.
func usable(m rtnetlink.AddressMessage) (netip.Addr, bool) {
	if m.Attributes == nil || m.Scope != unix.RT_SCOPE_UNIVERSE && m.Scope != unix.RT_SCOPE_SITE {
		return netip.Addr{}, false
	}
	const unfinished = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED
	if m.Attributes.Flags&unfinished != 0 || uint32(m.Flags)&unfinished != 0 {
		return netip.Addr{}, false
	}
	address, ok := netip.AddrFromSlice(m.Attributes.Local)
	if !ok {
		address, ok = netip.AddrFromSlice(m.Attributes.Address) // the peer's on a point-to-point link
	}
	return address.Unmap(), ok
}
