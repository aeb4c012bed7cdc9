package manager

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/netwatch"
)

// Server is the first machine on the way to a tunnel's server.
type Server struct {
	Host    string // name or address
	Command bool   // a ProxyCommand connects to it
}

// Way is how this machine gets to a server.
type Way int

// The ways.
const (
	WayOut  Way = iota // by the way to the Internet, as far as is known
	WayOwn             // by a route of its own, or by a command
	WayHere            // the server is this machine
)

// lookupTimeout bounds the lookup of a server's name.
const lookupTimeout = 3 * time.Second

// wayTo asks this machine how it gets to a server while the network is in this state.
func wayTo(ctx context.Context, s Server, state netwatch.State) Way {
	switch name, _ := os.Hostname(); {
	case s.Command:
		return WayOwn
	case strings.EqualFold(s.Host, "localhost"), underDomain(s.Host, "localhost"), strings.EqualFold(s.Host, name):
		return WayHere
	}
	best := WayOut
	if underDomain(s.Host, "local") {
		best = WayOwn // multicast DNS asks the neighbours
	}
	for _, addr := range addressesOf(ctx, s.Host, state) {
		route, err := netwatch.RouteTo(addr)
		switch {
		case err != nil:
		case route.Local:
			return WayHere
		case route.Own:
			best = WayOwn
		}
	}
	return best
}

func underDomain(host, domain string) bool {
	return strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), "."+domain)
}

// addressesOf returns the addresses of a host, as far as they can be known. It asks a name server
// only if the Internet may be missing while the local network is there. It asks none behind a
// captive portal, whose name server answers with the portal's own address.
func addressesOf(ctx context.Context, host string, state netwatch.State) []netip.Addr {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}
	}
	addrs := fromHostsFile(hostsFile, host)
	if len(addrs) > 0 || state != netwatch.Limited && state != netwatch.Offline {
		return addrs
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return addrs
}

const hostsFile = "/etc/hosts"

// fromHostsFile returns the addresses that hosts(5) has for a name.
func fromHostsFile(path, host string) []netip.Addr {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var addrs []netip.Addr
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 || !slices.ContainsFunc(words[1:], func(w string) bool { return strings.EqualFold(w, host) }) {
			continue
		}
		if addr, err := netip.ParseAddr(words[0]); err == nil {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
