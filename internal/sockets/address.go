package sockets

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Address is one address to listen on, as net.Listen takes it.
type Address struct {
	Network string // tcp, tcp4, tcp6 or unix
	Addr    string
}

// lookupTimeout bounds the lookup of a bind address that is a name.
const lookupTimeout = 5 * time.Second

// Of returns the addresses that a forward listens on. It reads a bind address as ssh(1) does: none
// or "localhost" is the loopback interface, in both families; empty or "*" is every interface. If
// there are several addresses, it leaves out those that this machine does not have.
//
// If a name cannot be looked up, Of returns the name as the only address, and the error.
func Of(ctx context.Context, listen tunnelfile.Address, gatewayPorts bool) ([]Address, error) {
	port := strconv.Itoa(listen.Port)
	switch {
	case listen.Unix != "":
		return []Address{{"unix", listen.Unix}}, nil
	case !listen.Bind && gatewayPorts, listen.Bind && (listen.Host == "" || listen.Host == "*"):
		return []Address{{"tcp", ":" + port}}, nil // both families, if this machine has both
	case !listen.Bind, listen.Host == "localhost":
		return present([]Address{{"tcp4", "127.0.0.1:" + port}, {"tcp6", "[::1]:" + port}}), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", listen.Host) // an IP address is its own answer
	if err != nil {
		return []Address{{"tcp", net.JoinHostPort(listen.Host, port)}}, err
	}
	var all []Address
	for _, ip := range ips {
		network := "tcp4"
		if ip = ip.Unmap(); ip.Is6() {
			network = "tcp6"
		}
		a := Address{network, net.JoinHostPort(ip.String(), port)}
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return present(all), nil
}

// present leaves out the addresses that this machine does not have. If it has none of them, present
// returns all, and the error from listening says why.
func present(all []Address) []Address {
	if len(all) < 2 {
		return all
	}
	here := slices.DeleteFunc(slices.Clone(all), func(a Address) bool { return !a.exists() })
	if len(here) == 0 {
		return all
	}
	return here
}

// exists says whether this machine has the IP address: a socket can be bound to it.
func (a Address) exists() bool {
	host, _, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return true
	}
	l, err := net.Listen(a.Network, net.JoinHostPort(host, "0"))
	if err == nil {
		_ = l.Close()
	}
	return !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EAFNOSUPPORT)
}

// Is says whether a socket that is bound to addr listens at this address. If the address is a name,
// only the port is compared.
func (a Address) Is(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.UnixAddr:
		return a.Network == "unix" && addr.Name == a.Addr
	case *net.TCPAddr:
		host, port, ok := a.split()
		if !ok || int(port) != addr.Port {
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

// conflicts says whether a listener at other prevents listening here.
func (a Address) conflicts(other netip.AddrPort) bool {
	host, port, ok := a.split()
	if !ok || port != other.Port() {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || ip.IsUnspecified() || other.Addr().IsUnspecified() || ip == other.Addr().Unmap()
}

// split is the host and the port; false for a unix socket.
func (a Address) split() (host string, port uint16, ok bool) {
	if a.Network == "unix" {
		return "", 0, false
	}
	host, text, err := net.SplitHostPort(a.Addr)
	if err != nil {
		return "", 0, false
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, uint16(n), err == nil
}
