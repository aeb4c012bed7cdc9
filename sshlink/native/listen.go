package native

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// backlog is how many channels may wait for Accept on one remote listener. More are refused, as
// with a full listen queue, and never stop the connection.
const backlog = 128

// forwardTable has the remote listeners of a link.
type forwardTable struct {
	mu        sync.Mutex
	listeners map[wire.Endpoint]*listener
	closed    bool
}

func (t *forwardTable) add(key wire.Endpoint, l *listener) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.listeners == nil {
		t.listeners = make(map[wire.Endpoint]*listener)
	}
	t.listeners[key] = l
	return true
}

func (t *forwardTable) remove(key wire.Endpoint, l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners[key] == l {
		delete(t.listeners, key)
	}
}

// find returns the listener for a key. Servers other than OpenSSH may name the address that they
// bound, not the one that was requested. So the port alone is enough if only one listener has it.
func (t *forwardTable) find(key wire.Endpoint) *listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := t.listeners[key]; ok || key.Unix != "" {
		return l
	}
	var found *listener
	for k, l := range t.listeners {
		if k.Unix == "" && k.Port == key.Port {
			if found != nil {
				return nil
			}
			found = l
		}
	}
	return found
}

func (t *forwardTable) closeAll() {
	t.mu.Lock()
	listeners := t.listeners
	t.listeners, t.closed = nil, true
	t.mu.Unlock()
	for _, l := range listeners {
		l.stop()
	}
}

// listener is a remote listening socket.
type listener struct {
	link *Link
	key  wire.Endpoint
	addr net.Addr
	in   chan ssh.NewChannel

	closing atomic.Bool // Close was called

	mu      sync.Mutex // keeps offer from adding to in after stop has emptied it
	stopped bool
	closed  chan struct{}
}

// ListenContext asks the server to listen on an address.
func (l *Link) ListenContext(ctx context.Context, network, addr string) (net.Listener, error) {
	key, err := wire.ParseEndpoint(network, addr)
	if err != nil {
		return nil, err
	}
	ln := &listener{link: l, key: key, addr: key.Addr(), in: make(chan ssh.NewChannel, backlog), closed: make(chan struct{})}
	if !l.forwards.add(key, ln) {
		return nil, l.Lost()
	}
	ok, reply, err := l.request(ctx, requestName("", key), payload(key))
	if err != nil {
		l.forwards.remove(key, ln)
		if ctx.Err() != nil {
			// The server may listen all the same. Cancel that when it replies, however late.
			go l.request(context.WithoutCancel(ctx), requestName("cancel-", key), payload(key))
		}
		return nil, err
	}
	if !ok {
		l.forwards.remove(key, ln)
		return nil, &wire.RefusedError{Addr: key.String()}
	}
	if key.Unix == "" && key.Port == 0 {
		l.forwards.remove(key, ln)
		var chosen struct{ Port uint32 }
		if err := ssh.Unmarshal(reply, &chosen); err != nil {
			return nil, fmt.Errorf("the server does not say which port it chose: %w", err)
		}
		ln.key.Port = chosen.Port
		ln.addr = ln.key.Addr()
		if !l.forwards.add(ln.key, ln) {
			return nil, l.Lost()
		}
	}
	return ln, nil
}

// requestName is the name of the global request, see RFC 4254, 7.1, and OpenSSH's PROTOCOL, 2.4.
func requestName(prefix string, k wire.Endpoint) string {
	if k.Unix != "" {
		return prefix + "streamlocal-forward@openssh.com"
	}
	return prefix + "tcpip-forward"
}

func payload(k wire.Endpoint) []byte {
	if k.Unix != "" {
		return ssh.Marshal(struct{ Path string }{k.Unix})
	}
	return ssh.Marshal(struct {
		Host string
		Port uint32
	}{k.Host, k.Port})
}

// acceptChannels handles the channels that the server opens. x/crypto stops the whole connection
// while 16 channels wait, so the loop never blocks, except in refuse: a server that opens channels
// faster than it reads their refusals has to wait, for refusalTime at the most.
func (l *Link) acceptChannels(chans <-chan ssh.NewChannel) {
	for ch := range chans {
		key, ok := channelKey(ch)
		if !ok {
			l.refuse(ch)
			continue
		}
		ln := l.forwards.find(key)
		if ln == nil || !ln.offer(ch) {
			l.refuse(ch)
		}
	}
}

// maxRefusals is how many channels may wait to be refused.
const maxRefusals = 512

// refusalTime is how long refuse waits for the server to read a refusal when maxRefusals wait.
const refusalTime = 10 * time.Second

// refuse rejects a channel. The rejection is a write, which may block, so the goroutine of
// refuseChannels makes it. If a server opens channels and does not read the replies, the link ends,
// because x/crypto keeps each channel until it is answered.
func (l *Link) refuse(ch ssh.NewChannel) {
	select {
	case l.refusals <- ch:
		return
	default:
	}
	patience := time.NewTimer(refusalTime)
	defer patience.Stop()
	select {
	case l.refusals <- ch:
	case <-l.Ended():
	case <-patience.C:
		l.Quit(fault.New(fault.Lost, "%s opens channels that nobody asked for, and does not read that they are refused", l.Host))
	}
}

func (l *Link) refuseChannels() {
	for {
		select {
		case ch := <-l.refusals:
			ch.Reject(ssh.Prohibited, "nobody listens for it")
		case <-l.Ended():
			return
		}
	}
}

// tcpChannel is the data of direct-tcpip and forwarded-tcpip in SSH_MSG_CHANNEL_OPEN, see RFC 4254, 7.2.
type tcpChannel struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// channelKey is where the listener of a channel listens.
func channelKey(ch ssh.NewChannel) (wire.Endpoint, bool) {
	switch ch.ChannelType() {
	case "forwarded-tcpip":
		var m tcpChannel
		if ssh.Unmarshal(ch.ExtraData(), &m) != nil {
			return wire.Endpoint{}, false
		}
		return wire.Endpoint{Host: m.Host, Port: m.Port}, true
	case "forwarded-streamlocal@openssh.com":
		var m struct{ Path, Reserved string }
		if ssh.Unmarshal(ch.ExtraData(), &m) != nil {
			return wire.Endpoint{}, false
		}
		return wire.Endpoint{Unix: m.Path}, true
	}
	return wire.Endpoint{}, false
}

// origin is the address that connected to the remote listener, as the server reports it.
func origin(ch ssh.NewChannel) net.Addr {
	var m tcpChannel
	if ch.ChannelType() == "forwarded-tcpip" && ssh.Unmarshal(ch.ExtraData(), &m) == nil {
		return wire.Addr{Net: "tcp", Address: net.JoinHostPort(text.FromPeer(m.OriginHost), strconv.FormatUint(uint64(m.OriginPort), 10))}
	}
	return wire.Addr{Net: "unix", Address: "@"}
}

// offer passes a channel to Accept. It returns false if the listener is closed or its backlog is
// full.
func (ln *listener) offer(ch ssh.NewChannel) bool {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.stopped {
		return false
	}
	select {
	case ln.in <- ch:
		return true
	default:
		return false
	}
}

// Accept waits for a connection to the remote listener.
func (ln *listener) Accept() (net.Conn, error) {
	for {
		select {
		case ch := <-ln.in:
			c, reqs, err := ch.Accept()
			if err != nil {
				continue // the link is ending, and then closed is closed
			}
			return ln.link.NewChannel(c, reqs, ln.addr, origin(ch)), nil
		case <-ln.closed:
			if err := ln.link.Conn.Err(); err != nil {
				return nil, ln.link.Lost()
			}
			return nil, net.ErrClosed
		}
	}
}

// Close makes the server stop listening. It waits for the reply up to wire.CancelTimeout, and not
// at all if the link is dead. Until then Accept goes on, because somebody may connect before the
// server has the request, which takes time on a stalled link.
func (ln *listener) Close() error {
	if !ln.closing.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	defer ln.stop()
	defer ln.link.forwards.remove(ln.key, ln)
	ctx, cancel := context.WithTimeout(context.Background(), wire.CancelTimeout)
	defer cancel()
	ok, _, err := ln.link.request(ctx, requestName("cancel-", ln.key), payload(ln.key))
	if err == nil && !ok {
		err = fmt.Errorf("the server did not stop listening on %s", ln.key.String())
	}
	return err
}

// stop ends Accept, and refuses the channels that still wait for it.
func (ln *listener) stop() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.stopped {
		return
	}
	ln.stopped = true
	close(ln.closed)
	for len(ln.in) > 0 {
		ln.link.refuse(<-ln.in)
	}
}

// Addr is the address that was requested. If its port was 0, it has the port that the server chose.
func (ln *listener) Addr() net.Addr { return ln.addr }
