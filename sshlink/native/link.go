package native

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Link is an authenticated SSH connection. Every call that waits for the server returns early when
// ctx ends or the link is closed.
type Link struct {
	*wire.Base
	info        wire.Info
	environment []string     // of a command, each NAME=VALUE
	asked       atomic.Int32 // keepalives that the server has sent

	// Global requests have no numbers: the replies come in the order of the requests, and ssh.Conn
	// makes the next request wait. One goroutine (ask) sends all of them, so that a caller who
	// gives up leaves nothing behind.
	requests chan request

	forwards forwardTable
	refusals chan ssh.NewChannel
	learner  *hostkeys.Learner // nil: no further host keys are learned
}

type request struct {
	name    string
	payload []byte
	answer  chan<- answer // buffered
}

type answer struct {
	ok      bool
	payload []byte
	err     error
}

// newLink makes a link from a connection that has logged in. serve starts it.
func newLink(c *wire.Conn, sc ssh.Conn, host string) *Link {
	return &Link{
		Base:     wire.NewBase(c, sc, host),
		requests: make(chan request),
		refusals: make(chan ssh.NewChannel, maxRefusals),
	}
}

// describe records what was negotiated.
func (l *Link) describe(hostKey ssh.PublicKey) {
	l.info = wire.Info{Transport: tunnelfile.TransportNative, ServerVersion: text.FromPeer(string(l.SSH.ServerVersion()))}
	if a, ok := l.SSH.(ssh.AlgorithmsConnMetadata); ok {
		n := a.Algorithms()
		l.info.Kex, l.info.Cipher, l.info.MAC = n.KeyExchange, n.Write.Cipher, n.Write.MAC
		l.info.PostQuantum = wire.PostQuantum(n.KeyExchange)
	}
	if a := l.RemoteAddr(); a != nil && a.Network() == "tcp" {
		l.info.Peer = a.String()
	}
	if hostKey != nil {
		l.info.HostKey = hostkeys.Fingerprint(hostKey)
	}
}

// serve starts the goroutines of a link.
func (l *Link) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	go l.ask()
	go l.answerRequests(reqs)
	go l.acceptChannels(chans)
	go l.refuseChannels()
	l.OnEnd(l.forwards.closeAll)
	l.Watch()
}

// ask sends global requests one after the other, until the link ends.
func (l *Link) ask() {
	for {
		select {
		case r := <-l.requests:
			ok, payload, err := l.SSH.SendRequest(r.name, true, r.payload)
			r.answer <- answer{ok, payload, err}
		case <-l.Ended():
			return
		}
	}
}

// request sends a global request and waits for the reply, for ctx, or for the link's end. If ctx
// ends first, the server still gets a request that was sent.
func (l *Link) request(ctx context.Context, name string, payload []byte) (bool, []byte, error) {
	ch := make(chan answer, 1)
	select {
	case l.requests <- request{name, payload, ch}:
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	case <-l.Ended():
		return false, nil, l.Lost()
	}
	select {
	case a := <-ch:
		if a.err != nil {
			return false, nil, l.Lost()
		}
		return a.ok, a.payload, nil
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	case <-l.Ended():
		return false, nil, l.Lost()
	}
}

// answerRequests refuses every request of the server, keepalives included, as ssh does: any reply
// shows that we are alive. The learner gets only the first announcement of host keys.
func (l *Link) answerRequests(reqs <-chan *ssh.Request) {
	learner := l.learner
	for r := range reqs {
		if r.Type == "hostkeys-00@openssh.com" && learner != nil {
			go learner.Learn(l.request, r.Payload)
			learner = nil
		}
		if r.Type == "keepalive@openssh.com" {
			l.asked.Add(1)
		}
		r.Reply(false, nil)
	}
}

// Ping measures one round trip with a keepalive. It returns when ctx ends, but its request still
// waits for the reply then, and later Pings wait behind it.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if _, _, err := l.request(ctx, "keepalive@openssh.com", nil); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// RemoteAddr is the server's address.
func (l *Link) RemoteAddr() net.Addr { return l.Conn.RemoteAddr() }

// Info says what the link is made of.
func (l *Link) Info() wire.Info {
	info := l.info
	info.Asked = int(l.asked.Load())
	return info
}

// DialContext opens a channel to an address as the server sees it.
func (l *Link) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := wire.ParseEndpoint(network, addr)
	if err != nil {
		return nil, err
	}
	if to.Unix != "" {
		return l.DialUnix(ctx, to.Unix)
	}
	ch, reqs, err := l.OpenChannel(ctx, "direct-tcpip", ssh.Marshal(tcpChannel{to.Host, to.Port, "127.0.0.1", 0}))
	if err != nil {
		return nil, err
	}
	return l.NewChannel(ch, reqs, l.LocalAddr(), wire.Addr{Net: network, Address: addr}), nil
}

// RemoveStale is [wire.RemoveStale].
func (l *Link) RemoveStale(ctx context.Context, path string) error {
	return wire.RemoveStale(ctx, l, path)
}
