package forward

import (
	"context"
	"net"
	"slices"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/tunnelfile"
)

// takePorts takes from unowned the ports with the forward's listen address. It returns those, nil if there are
// none, and the rest of unowned.
func takePorts(spec tunnelfile.Forward, c *Config, unowned []*port) (taken, left []*port) {
	addresses, _ := sockets.Of(context.Background(), spec.Listen, c.GatewayPorts)
	for _, p := range unowned {
		if slices.ContainsFunc(addresses, func(a sockets.Address) bool { return a.Is(p.listener.Addr()) }) {
			taken = append(taken, p)
		} else {
			left = append(left, p)
		}
	}
	return taken, left
}

// openPorts opens the forward's listeners. On an error none stays open.
func openPorts(spec tunnelfile.Forward, c *Config) ([]*port, *sockets.Error) {
	addresses, _ := sockets.Of(context.Background(), spec.Listen, c.GatewayPorts) // an error with a name shows when listening fails
	var ports []*port
	for _, a := range addresses {
		p, err := open(a, c)
		if err != nil {
			closePorts(ports)
			return nil, sockets.Explain(spec, a, err)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// closePorts closes ports that nobody serves yet.
func closePorts(ports []*port) {
	for _, p := range ports {
		p.close()
	}
}

func open(a sockets.Address, c *Config) (*port, error) {
	if a.Network == "unix" {
		return listenUnix(a.Addr, c.StreamLocalBindMask, c.StreamLocalBindUnlink)
	}
	l, err := net.Listen(a.Network, a.Addr)
	if err != nil {
		return nil, err
	}
	return &port{listener: l}, nil
}
