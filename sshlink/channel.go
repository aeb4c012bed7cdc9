package sshlink

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// channel is a net.Conn over one SSH channel. It has CloseWrite; it has no deadlines, but
// everything ends when it or its link is closed.
type channel struct {
	ssh.Channel
	local, remote net.Addr
}

// peer is the address of a channel's far end, as it was asked for: nobody here knows what
// the server made of a name.
type peer struct{ network, address string }

func (p peer) Network() string { return p.network }
func (p peer) String() string  { return p.address }

func (c *channel) LocalAddr() net.Addr  { return c.local }
func (c *channel) RemoteAddr() net.Addr { return c.remote }

func (c *channel) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *channel) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *channel) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = fmt.Errorf("deadline on an SSH channel: %w", errUnsupported)

// newChannel wraps a channel that is open. Requests on it are refused, and what the server
// sends as standard error is dropped: forwarded connections have neither.
func newChannel(ch ssh.Channel, reqs <-chan *ssh.Request, local, remote net.Addr) *channel {
	go ssh.DiscardRequests(reqs)
	return &channel{Channel: ch, local: local, remote: remote}
}

// DialContext opens a channel to an address as the server sees it: network is "tcp" and addr
// host:port, or network is "unix" and addr a path. A refusal of the server's is an error that
// wraps *ssh.OpenChannelError.
func (l *Link) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var kind string
	var payload []byte
	switch network {
	case "tcp", "tcp4", "tcp6":
		host, port, err := splitAddress(addr)
		if err != nil {
			return nil, err
		}
		if l.master != nil {
			return l.dialMaster(ctx, host, port, peer{network, addr})
		}
		kind = "direct-tcpip"
		payload = ssh.Marshal(struct {
			Host       string
			Port       uint32
			OriginHost string
			OriginPort uint32
		}{host, port, "127.0.0.1", 0})
	case "unix":
		if l.master != nil {
			return l.dialMasterUnix(ctx, addr)
		}
		kind = "direct-streamlocal@openssh.com"
		payload = streamLocalPayload(addr)
	default:
		return nil, net.UnknownNetworkError(network)
	}
	ch, reqs, err := l.openChannel(ctx, kind, payload)
	if err != nil {
		return nil, err
	}
	return newChannel(ch, reqs, l.LocalAddr(), peer{network, addr}), nil
}

// streamLocalPayload is that of direct-streamlocal@openssh.com, see OpenSSH's PROTOCOL, 2.4.
func streamLocalPayload(path string) []byte {
	return ssh.Marshal(struct {
		Path      string
		Reserved  string
		Reserved2 uint32
	}{Path: path})
}

// openChannel opens a channel. When ctx or the link ends first, a channel that the server
// opens later is closed.
func (l *Link) openChannel(ctx context.Context, kind string, payload []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	var once sync.Mutex
	abandoned := false
	result := make(chan opened, 1)
	go func() {
		ch, reqs, err := l.ssh.OpenChannel(kind, payload)
		once.Lock()
		defer once.Unlock()
		if abandoned && err == nil {
			go ssh.DiscardRequests(reqs)
			ch.Close()
			return
		}
		result <- opened{ch, reqs, err}
	}()
	var err error
	select {
	case o := <-result:
		if o.err != nil {
			return nil, nil, l.channelError(o.err)
		}
		return o.ch, o.reqs, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-l.ended:
		err = l.lost()
	}
	once.Lock()
	defer once.Unlock()
	abandoned = true
	select {
	case o := <-result: // it came at the same moment
		if o.err == nil {
			go ssh.DiscardRequests(o.reqs)
			o.ch.Close()
		}
	default:
	}
	return nil, nil, err
}

// channelError keeps the server's refusal as it is; any other error means that the link is lost.
func (l *Link) channelError(err error) error {
	if _, ok := err.(*ssh.OpenChannelError); ok {
		return err
	}
	select {
	case <-l.ended:
		return l.lost()
	default:
		return lostError(l.host, err)
	}
}

func splitAddress(addr string) (string, uint32, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, &net.AddrError{Err: "port is not a number from 0 to 65535", Addr: addr}
	}
	return host, uint32(port), nil
}

var _ interface {
	net.Conn
	CloseWrite() error
	io.ReadWriter
} = (*channel)(nil)
