package design

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Listener is one address that a tunnel's socket unit listens on.
type Listener struct {
	sockets.Address
	forward tunnelfile.Forward
}

// stream is the address as ListenStream= spells it.
func (l Listener) stream() string { return strings.TrimPrefix(l.Addr, ":") } // a port alone is all interfaces

// listensHere says whether a tunnel has a socket unit.
func listensHere(t tunnelfile.Tunnel) bool {
	return slices.ContainsFunc(t.Forwards, func(f tunnelfile.Forward) bool { return f.Kind != tunnelfile.RemoteForward })
}

// listenersOf returns every local address of a tunnel, each once, in the order of the file. A bind
// address whose name does not exist is a problem; a name that cannot be looked up now is an error.
func listenersOf(ctx context.Context, t tunnelfile.Tunnel) (all []Listener, problems tunnelfile.Problems, later error) {
	seen := make(map[sockets.Address]bool)
	for _, f := range t.Forwards {
		if f.Kind == tunnelfile.RemoteForward {
			continue
		}
		addresses, err := sockets.Of(ctx, f.Listen, t.Yes("GatewayPorts"))
		if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsNotFound {
			later = sockets.Explain(f, addresses[0], err)
			continue
		}
		if err != nil {
			p := tunnelfile.Problem{Path: f.Path, Line: f.Line, Key: string(f.Kind), Message: err.Error()}
			if f.Line == 0 {
				p.Path, p.Message = t.Path, "in ssh_config: "+p.Message
			}
			problems = append(problems, p)
			continue
		}
		for _, a := range addresses {
			if !seen[a] {
				seen[a] = true
				all = append(all, Listener{a, f})
			}
		}
	}
	return all, problems, later
}

// free says why it is not possible to listen on the address; nil if it is. systemd says over D-Bus
// only that the socket unit failed.
func (l Listener) free(ctx context.Context, unlink bool) *sockets.Error {
	if err := l.Free(ctx, unlink); err != nil {
		return sockets.Explain(l.forward, l.Address, err)
	}
	return nil
}

// socketMode is the mode of unix sockets, from ssh_config(5)'s StreamLocalBindMask.
func socketMode(t tunnelfile.Tunnel) (os.FileMode, error) {
	text := t.SSHSetting("StreamLocalBindMask")
	if text == "" {
		return 0o777 &^ tunnelfile.StreamLocalBindMask, nil
	}
	mask, err := strconv.ParseUint(text, 8, 16)
	if err != nil || mask > 0o777 {
		return 0, fmt.Errorf("%q is not an octal file mode mask", text)
	}
	return 0o777 &^ os.FileMode(mask), nil
}
