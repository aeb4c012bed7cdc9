package sshlink

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
)

// timedLink is a link that closes idle forwarded connections, as ChannelTimeout of ssh_config(5)
// says. ssh itself would close only some of the channels that it opens for its control socket.
type timedLink struct {
	Link
	timeouts config.ChannelTimeouts
	all      *idleClock // of all channels together; nil if there is no such timeout
}

// withTimeouts wraps a link. It returns the link itself if ChannelTimeout is not set.
func withTimeouts(l Link, timeouts config.ChannelTimeouts) Link {
	if len(timeouts) == 0 {
		return l
	}
	t := &timedLink{Link: l, timeouts: timeouts}
	if d := timeouts.All(); d > 0 {
		t.all = &idleClock{limit: d}
	}
	return t
}

// DialContext opens a channel that is closed after it was idle for too long.
func (l *timedLink) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := l.Link.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return l.timed(c, map[bool]string{true: "direct-streamlocal@openssh.com", false: "direct-tcpip"}[network == "unix"]), nil
}

// ListenContext is the link's, with channels that are closed after they were idle for too long.
func (l *timedLink) ListenContext(ctx context.Context, network, addr string) (net.Listener, error) {
	ln, err := l.Link.ListenContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return timedListener{ln, l, map[bool]string{true: "forwarded-streamlocal@openssh.com", false: "forwarded-tcpip"}[network == "unix"]}, nil
}

type timedListener struct {
	net.Listener
	link *timedLink
	kind string
}

// Accept waits for the next channel.
func (ln timedListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return ln.link.timed(c, ln.kind), nil
}

// timed starts the idle clocks for a channel of this kind.
func (l *timedLink) timed(c net.Conn, kind string) net.Conn {
	t := &timedConn{Conn: c}
	if d := l.timeouts.Of(kind); d > 0 {
		t.clocks = append(t.clocks, &idleClock{limit: d})
	}
	if l.all != nil {
		t.clocks = append(t.clocks, l.all)
	}
	for _, clock := range t.clocks {
		clock.add(t)
	}
	return t
}

// timedConn reports traffic to its clocks.
type timedConn struct {
	net.Conn
	clocks []*idleClock
}

func (c *timedConn) passed(n int) {
	if n > 0 {
		for _, clock := range c.clocks {
			clock.last.Store(time.Now().UnixNano())
		}
	}
}

func (c *timedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.passed(n)
	return n, err
}

func (c *timedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.passed(n)
	return n, err
}

// CloseWrite tells the server that no more data will come.
func (c *timedConn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// Close closes the channel.
func (c *timedConn) Close() error {
	for _, clock := range c.clocks {
		clock.remove(c)
	}
	return c.Conn.Close()
}

// idleClock closes its connections when no bytes have passed through any of them for limit.
type idleClock struct {
	limit time.Duration
	last  atomic.Int64 // Unix nanoseconds

	mu    sync.Mutex
	conns map[*timedConn]bool
	timer *time.Timer // runs while conns is not empty
}

func (k *idleClock) add(c *timedConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last.Store(time.Now().UnixNano())
	if k.conns == nil {
		k.conns = make(map[*timedConn]bool)
	}
	k.conns[c] = true
	if k.timer == nil {
		k.timer = time.AfterFunc(k.limit, k.look)
	}
}

func (k *idleClock) remove(c *timedConn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
	if len(k.conns) == 0 && k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

// look is called by timer. It closes all connections if they were idle for limit, else it sets the
// timer for the time left.
func (k *idleClock) look() {
	k.mu.Lock()
	var over []*timedConn
	if left := k.limit - time.Since(time.Unix(0, k.last.Load())); left > 0 && k.timer != nil {
		k.timer.Reset(left)
	} else {
		for c := range k.conns {
			over = append(over, c)
		}
		k.conns, k.timer = nil, nil
	}
	k.mu.Unlock()
	for _, c := range over {
		c.Close()
	}
}
