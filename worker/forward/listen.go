package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// place is one address that a forward listens on here.
type place struct{ network, addr string }

// lookupTimeout bounds the lookup of a bind address that is a name.
const lookupTimeout = 5 * time.Second

// placesOf is where a forward listens, as ssh(1) reads its bind address: none or
// "localhost" is the loopback interface, in both families; empty or "*" is all. A name
// that cannot be looked up just now stays a name.
func placesOf(spec tunnelfile.Forward, gatewayPorts bool) []place {
	a := spec.Listen
	port := strconv.Itoa(a.Port)
	switch {
	case a.Unix != "":
		return []place{{"unix", a.Unix}}
	case !a.Bind && gatewayPorts, a.Bind && (a.Host == "" || a.Host == "*"):
		return []place{{"tcp", ":" + port}}
	case !a.Bind, a.Host == "localhost":
		return []place{{"tcp4", "127.0.0.1:" + port}, {"tcp6", "[::1]:" + port}}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", a.Host) // an address is itself
	if err != nil {
		return []place{{"tcp", net.JoinHostPort(a.Host, port)}}
	}
	var places []place
	for _, ip := range ips {
		places = append(places, place{"tcp", netip.AddrPortFrom(ip.Unmap(), uint16(a.Port)).String()})
	}
	return places
}

// is says whether a socket that is bound to addr listens at this place. Of a place that
// is still a name only the port counts.
func (p place) is(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.UnixAddr:
		return p.network == "unix" && addr.Name == p.addr
	case *net.TCPAddr:
		host, port, err := net.SplitHostPort(p.addr)
		if err != nil || p.network == "unix" || port != strconv.Itoa(addr.Port) {
			return false
		}
		if host == "" {
			return addr.IP.IsUnspecified()
		}
		ip, err := netip.ParseAddr(host)
		return err != nil || ip == addr.AddrPort().Addr().Unmap()
	}
	return false
}

// takePorts takes from spare what listens where the forward does. It returns the
// forward's ports, nil if there were none, and what is left.
func takePorts(spec tunnelfile.Forward, c *Config, spare []*port) (taken, left []*port) {
	places := placesOf(spec, c.GatewayPorts)
	for _, p := range spare {
		if slices.ContainsFunc(places, func(place place) bool { return place.is(p.listener.Addr()) }) {
			taken = append(taken, p)
		} else {
			left = append(left, p)
		}
	}
	return taken, left
}

// openPorts listens where the forward does. A family that this machine does not have
// is left out, as long as there is another.
func openPorts(spec tunnelfile.Forward, c *Config) ([]*port, error) {
	var ports []*port
	var missing error
	for _, place := range placesOf(spec, c.GatewayPorts) {
		p, err := place.open(c)
		switch {
		case err == nil:
			ports = append(ports, p)
			continue
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			missing = place.describe(spec, err)
			continue
		}
		for _, p := range ports {
			p.close()
		}
		return nil, place.describe(spec, err)
	}
	if len(ports) == 0 {
		return nil, missing
	}
	return ports, nil
}

func (p place) open(c *Config) (*port, error) {
	if p.network == "unix" {
		return listenUnix(p.addr, c.StreamLocalBindMask, c.StreamLocalBindUnlink)
	}
	l, err := net.Listen(p.network, p.addr)
	if err != nil {
		return nil, err
	}
	return &port{listener: l}, nil
}

// describe names the forward in an error of listening, and who holds the address.
func (p place) describe(spec tunnelfile.Forward, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = errno // without the address, which the forward's name has already
	}
	if errno == syscall.EADDRINUSE {
		if who := holder(p); who != "" {
			return fmt.Errorf("%s: %w (held by %s)", nameOf(spec), err, who)
		}
	}
	return fmt.Errorf("%s: %w", nameOf(spec), err)
}
