package wire

import (
	"net"
	"strconv"
)

// Addr is an address on the server's side, as it was requested. We do not know what the server
// resolved a name to.
type Addr struct{ Net, Address string }

// Network is net.Addr's.
func (a Addr) Network() string { return a.Net }

func (a Addr) String() string { return a.Address }

// Endpoint is an address on the server: host and port, or the path of a unix socket.
type Endpoint struct {
	Unix string // path of a socket; empty: Host and Port
	Host string
	Port uint32
}

// ParseEndpoint reads the arguments of package net. If network is "tcp", addr is host:port; if it
// is "unix", addr is a path.
func ParseEndpoint(network, addr string) (Endpoint, error) {
	switch network {
	case "unix":
		return Endpoint{Unix: addr}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return Endpoint{}, net.UnknownNetworkError(network)
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return Endpoint{}, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return Endpoint{}, &net.AddrError{Err: "port is not a number from 0 to 65535", Addr: addr}
	}
	return Endpoint{Host: host, Port: uint32(port)}, nil
}

func (p Endpoint) String() string {
	if p.Unix != "" {
		return p.Unix
	}
	return net.JoinHostPort(p.Host, strconv.FormatUint(uint64(p.Port), 10))
}

// Addr is the endpoint as a net.Addr.
func (p Endpoint) Addr() Addr {
	if p.Unix != "" {
		return Addr{"unix", p.Unix}
	}
	return Addr{"tcp", p.String()}
}
