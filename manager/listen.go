package manager

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// listener is one address that a tunnel's socket unit listens on.
type listener struct {
	stream  string // as ListenStream= spells it
	network string // as net.Listen takes it
	address string
	forward tunnelfile.Forward
}

// listensHere says whether a tunnel has a socket unit.
func listensHere(t tunnelfile.Tunnel) bool {
	return slices.ContainsFunc(t.Forwards, func(f tunnelfile.Forward) bool { return f.Kind != tunnelfile.RemoteForward })
}

// listenersOf is every local address of a tunnel, each once, in the order of the
// file. A host name is looked up as ssh(1) does.
func listenersOf(t tunnelfile.Tunnel, h Host) ([]listener, tunnelfile.Problems) {
	var all []listener
	var problems tunnelfile.Problems
	seen := make(map[string]bool)
	for _, f := range t.Forwards {
		if f.Kind == tunnelfile.RemoteForward {
			continue
		}
		ls, err := listenersFor(f, yes(sshSetting(t, "GatewayPorts")), h)
		if err != nil {
			p := tunnelfile.Problem{Path: f.Path, Line: f.Line, Key: string(f.Kind), Message: err.Error()}
			if f.Line == 0 {
				p.Path, p.Message = t.Path, "in ssh_config: "+p.Message
			}
			problems = append(problems, p)
		}
		for _, l := range ls {
			if !seen[l.stream] {
				seen[l.stream] = true
				all = append(all, l)
			}
		}
	}
	return all, problems
}

func listenersFor(f tunnelfile.Forward, gatewayPorts bool, h Host) ([]listener, error) {
	a := f.Listen
	if a.Unix != "" {
		if !filepath.IsAbs(a.Unix) {
			return nil, fmt.Errorf("%s: the path of a socket must be absolute", a.Unix)
		}
		return []listener{{a.Unix, "unix", a.Unix, f}}, nil
	}
	port := strconv.Itoa(a.Port)
	host := a.Host
	if host == "" && !a.Bind && !gatewayPorts {
		host = "localhost"
	}
	switch host {
	case "", "*":
		return []listener{{port, "tcp", ":" + port, f}}, nil // both families, where this host has both
	case "localhost":
		ls := []listener{on(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port, f)}
		if h.IPv6 {
			ls = append(ls, on(netip.IPv6Loopback(), port, f))
		}
		return ls, nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return []listener{on(addr, port, f)}, nil
	}
	addrs, err := h.Lookup(host)
	if err != nil {
		return nil, err
	}
	var ls []listener
	for _, addr := range addrs {
		ls = append(ls, on(addr.Unmap(), port, f))
	}
	return ls, nil
}

func on(addr netip.Addr, port string, f tunnelfile.Forward) listener {
	address := net.JoinHostPort(addr.String(), port)
	network := "tcp4"
	if addr.Is6() {
		network = "tcp6"
	}
	return listener{address, network, address, f}
}

// socketMode is the mode of unix sockets, from ssh_config(5)'s StreamLocalBindMask.
func socketMode(t tunnelfile.Tunnel) (os.FileMode, error) {
	text := sshSetting(t, "StreamLocalBindMask")
	if text == "" {
		return 0o600, nil
	}
	mask, err := strconv.ParseUint(text, 8, 16)
	if err != nil || mask > 0o777 {
		return 0, fmt.Errorf("%q is not an octal file mode mask", text)
	}
	return 0o777 &^ os.FileMode(mask), nil
}

// sshSetting is the value of a keyword in the tunnel's [SSH]; the first one counts,
// as in ssh_config(5).
func sshSetting(t tunnelfile.Tunnel, key string) string {
	for _, s := range t.SSH {
		if strings.EqualFold(s.Key, key) {
			return s.Value
		}
	}
	return ""
}

func yes(value string) bool {
	return strings.EqualFold(value, "yes") || strings.EqualFold(value, "true")
}
