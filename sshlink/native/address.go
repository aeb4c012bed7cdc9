package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
)

// attemptDelay is how long one address may take before the next is tried in parallel: the
// Connection Attempt Delay of RFC 8305.
const attemptDelay = 250 * time.Millisecond

// dialTCP connects to one of the server's addresses. It tries them as often as ConnectionAttempts
// says.
func (s server) dialTCP(ctx context.Context) (net.Conn, error) {
	var err error
	for i := range max(s.Number("connectionattempts"), 1) {
		if i > 0 {
			// ssh tries once a second.
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, err
			}
		}
		var c net.Conn
		if c, err = s.dialAddresses(ctx); err == nil {
			return c, nil
		}
		if ctx.Err() != nil || fault.As(err) != nil && fault.As(err).Class() == fault.ClassMistaken {
			break
		}
	}
	return nil, err
}

func (s server) dialAddresses(ctx context.Context) (net.Conn, error) {
	network := map[string]string{"inet": "ip4", "inet6": "ip6"}[s.Option("addressfamily")]
	if network == "" {
		network = "ip"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, s.HostName)
	if err != nil {
		if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
			return nil, fault.Wrap(fault.Unreachable, err, "no address for %s", s.HostName)
		}
		return nil, fault.Wrap(fault.Unreachable, err, "cannot look up %s", s.HostName)
	}
	if len(addrs) == 0 {
		return nil, fault.New(fault.Unreachable, "%s has no address of the family that AddressFamily=%s allows", s.HostName, s.Option("addressfamily"))
	}
	source, err := s.source(ctx)
	if err != nil {
		return nil, err
	}
	c, err := race(ctx, interleave(addrs), func(ctx context.Context, a netip.Addr) (net.Conn, error) {
		d := net.Dialer{Control: s.control, KeepAlive: -1}
		if source != nil {
			local := source(a)
			if !local.IsValid() {
				return nil, fmt.Errorf("%s: no local address of that family to come from", a)
			}
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
		}
		return d.DialContext(ctx, "tcp", netip.AddrPortFrom(a.Unmap(), uint16(s.Port)).String())
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fault.Wrap(fault.Unreachable, err, "cannot connect to %s port %d", s.HostName, s.Port)
	}
	return c, nil
}

// interleave alternates the addresses of the two families, beginning with that of the first
// address. Within a family it keeps the resolver's order (RFC 8305, section 4).
func interleave(addrs []netip.Addr) []netip.Addr {
	var same, other, mixed []netip.Addr
	for i, a := range addrs {
		addrs[i] = a.Unmap()
		if addrs[i].Is4() == addrs[0].Is4() {
			same = append(same, addrs[i])
		} else {
			other = append(other, addrs[i])
		}
	}
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			mixed = append(mixed, same[i])
		}
		if i < len(other) {
			mixed = append(mixed, other[i])
		}
	}
	return mixed
}

// race dials the addresses in order. It starts the next one when one fails or after attemptDelay.
// It returns the first connection that is established, and closes later ones.
func race(ctx context.Context, addrs []netip.Addr, dial func(context.Context, netip.Addr) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	next := time.NewTimer(0)
	defer next.Stop()
	var errs []error
	started, running := 0, 0
	for {
		select {
		case <-next.C:
			if started == len(addrs) {
				continue
			}
			addr := addrs[started]
			started, running = started+1, running+1
			go func() {
				c, err := dial(ctx, addr)
				select {
				case results <- result{c, err}:
				case <-ctx.Done():
					if err == nil {
						c.Close()
					}
				}
			}()
			next.Reset(attemptDelay)
		case res := <-results:
			running--
			if res.err == nil {
				return res.conn, nil
			}
			errs = append(errs, res.err)
			if started == len(addrs) && running == 0 {
				return nil, joinDistinct(errs)
			}
			next.Reset(0)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// joined are the errors of several addresses, on one line. If all have the same cause, it is named
// once.
type joined []error

func (j joined) Error() string {
	var causes, each []string
	for _, err := range j {
		words := fault.Words(err)
		causes = append(causes, words)
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
			host, _, _ := net.SplitHostPort(op.Addr.String())
			words = host + ": " + words
		}
		each = append(each, words)
	}
	if causes = slices.Compact(causes); len(causes) == 1 {
		return causes[0]
	}
	return strings.Join(each, "; ")
}

func (j joined) Unwrap() []error { return j }

func joinDistinct(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return joined(errs)
}

// source returns the function that chooses the local address for a server's address. It is nil if
// neither BindAddress nor BindInterface is set.
func (s server) source(ctx context.Context) (func(netip.Addr) netip.Addr, error) {
	var locals []netip.Addr
	if name := s.Option("bindaddress"); name != "" {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, err, "BindAddress %s", name)
		}
		locals = found
	} else if name := s.Option("bindinterface"); name != "" {
		i, err := net.InterfaceByName(name)
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, err, "BindInterface %s", name)
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, err, "BindInterface %s", name)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				locals = append(locals, p.Addr())
			}
		}
	} else {
		return nil, nil
	}
	return func(remote netip.Addr) netip.Addr {
		for _, a := range locals {
			// A link-local address only reaches link-local ones.
			if a = a.Unmap(); a.Is4() == remote.Unmap().Is4() && (!a.IsLinkLocalUnicast() || remote.IsLinkLocalUnicast()) {
				return a
			}
		}
		return netip.Addr{}
	}, nil
}

// control sets the socket option that must be set before the first packet: IPQoS.
func (s server) control(network, _ string, raw syscall.RawConn) error {
	tos, ok := parseQoS(s.IPQoS())
	if !ok {
		return nil
	}
	return raw.Control(func(fd uintptr) {
		// A tunnel works without marked packets, so errors are ignored.
		if strings.HasSuffix(network, "6") {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos)
		} else {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, tos)
		}
	})
}

// tune sets socket options of an established connection.
func (s server) tune(c *net.TCPConn) {
	c.SetNoDelay(true)
	if s.Yes("tcpkeepalive") {
		c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1})
	}
	// If the server does not acknowledge what was written, the kernel ends the connection after the
	// same time as unanswered keepalives do (TCP_USER_TIMEOUT in tcp(7)).
	if limit := s.ServerAliveInterval * time.Duration(s.ServerAliveCountMax); limit > 0 {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
			})
		}
	}
}
