package sshlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Link is an authenticated SSH connection. Everything on it that waits for the server can be
// abandoned by ctx, and ends when the link is closed.
type Link struct {
	conn *conn
	ssh  ssh.Conn
	host string
	info Info

	master *master // of the openssh transport; nil: native

	// Global requests have no numbers: answers come in the order of the questions, and
	// ssh.Conn lets the next one wait in line. One goroutine asks them, so that whoever
	// gives up leaves nothing behind.
	requests chan request

	forwards forwardTable
	refusals chan ssh.NewChannel
	learner  *learner // nil: the server's further host keys are of no interest

	ended chan struct{} // closed when the link is lost or closed
	mu    sync.Mutex
	after []func() // run once, when ended
	done  bool

	// Of the openssh transport, under mu.
	idle   ssh.Channel       // the session for Ping; nil: none yet
	locals map[string]string // where the person's master listens for unix sockets on the server
}

// Info says what a link is made of.
type Info struct {
	Transport     tunnelfile.Transport
	ServerVersion string
	Kex           string
	Cipher        string // of the direction to the server
	MAC           string // empty where the cipher brings its own
	HostKey       string // type and SHA-256 fingerprint
	PostQuantum   bool   // the key exchange withstands a quantum computer
	Peer          string // host:port of the server, where it is known
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

// newLink makes a link of a connection that has logged in; start starts it.
func newLink(c *conn, sc ssh.Conn, host string) *Link {
	return &Link{
		conn: c, ssh: sc, host: host,
		requests: make(chan request),
		refusals: make(chan ssh.NewChannel, backlog),
		ended:    make(chan struct{}),
	}
}

// describe notes what was negotiated.
func (l *Link) describe(hostKey ssh.PublicKey) {
	l.info = Info{Transport: tunnelfile.TransportNative, ServerVersion: text.FromPeer(string(l.ssh.ServerVersion()))}
	if a, ok := l.ssh.(ssh.AlgorithmsConnMetadata); ok {
		n := a.Algorithms()
		l.info.Kex, l.info.Cipher, l.info.MAC = n.KeyExchange, n.Write.Cipher, n.Write.MAC
		l.info.PostQuantum = postQuantum(n.KeyExchange)
	}
	if a := l.RemoteAddr(); a != nil && a.Network() == "tcp" {
		l.info.Peer = a.String()
	}
	if hostKey != nil {
		l.info.HostKey = fingerprint(hostKey)
	}
}

// serve starts what a link needs to run.
func (l *Link) serve(chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request) {
	go l.ask()
	go l.answerRequests(reqs)
	go l.acceptChannels(chans)
	go l.refuseChannels()
	go func() {
		<-l.conn.closed
		l.end()
	}()
	go func() {
		// The protocol can fail while the connection stands.
		if err := l.ssh.Wait(); err != nil {
			l.conn.fail(err)
		}
		l.conn.Close()
	}()
}

// end runs once, as soon as the connection is of no more use.
func (l *Link) end() {
	l.mu.Lock()
	l.done = true
	after := l.after
	l.after = nil
	l.mu.Unlock()
	close(l.ended)
	l.conn.Close()
	l.forwards.closeAll()
	for _, f := range after {
		f()
	}
}

// onEnd runs f when the link has ended, at once if it has.
func (l *Link) onEnd(f func()) {
	l.mu.Lock()
	if !l.done {
		l.after = append(l.after, f)
		f = nil
	}
	l.mu.Unlock()
	if f != nil {
		f()
	}
}

// ask sends global requests one after the other.
func (l *Link) ask() {
	for {
		select {
		case r := <-l.requests:
			ok, payload, err := l.ssh.SendRequest(r.name, true, r.payload)
			r.answer <- answer{ok, payload, err}
		case <-l.ended:
			return
		}
	}
}

// request sends a global request and waits for its answer, for ctx, or for the link's end.
// The server gets a request once sent, also where its answer is not waited for.
func (l *Link) request(ctx context.Context, name string, payload []byte) (bool, []byte, error) {
	ch := make(chan answer, 1)
	select {
	case l.requests <- request{name, payload, ch}:
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	case <-l.ended:
		return false, nil, l.lost()
	}
	select {
	case a := <-ch:
		if a.err != nil {
			return false, nil, l.lost()
		}
		return a.ok, a.payload, nil
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	case <-l.ended:
		return false, nil, l.lost()
	}
}

// answerRequests refuses what the server asks for, keepalives included, as ssh does: any
// answer shows that we are there. What it says of its host keys is heard once.
func (l *Link) answerRequests(reqs <-chan *ssh.Request) {
	learner := l.learner
	for r := range reqs {
		if r.Type == "hostkeys-00@openssh.com" && learner != nil {
			go learner.learn(l, r.Payload)
			learner = nil
		}
		r.Reply(false, nil)
	}
}

// Ping measures one round trip by a keepalive. It returns when ctx ends; the question then
// still waits for its answer, and further Pings wait behind it.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	var err error
	if l.master != nil {
		err = l.pingMaster(ctx)
	} else {
		_, _, err = l.request(ctx, "keepalive@openssh.com", nil)
	}
	if err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// LastReceived is when the last byte came from the server.
func (l *Link) LastReceived() time.Time { return time.Unix(0, l.conn.lastReceived.Load()) }

// Unanswered is when the first byte was written since the last one was read; zero where
// nothing waits for an answer.
func (l *Link) Unanswered() time.Time {
	if t := l.conn.unanswered.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Time{}
}

// Busy has a token after a write that ended a silence. Its capacity is one.
func (l *Link) Busy() <-chan struct{} { return l.conn.busy }

// Alive is false from the moment that the connection failed or was closed.
func (l *Link) Alive() bool { return l.conn.err() == nil }

// Wait waits until the link is lost or closed and says why.
func (l *Link) Wait() error {
	<-l.ended
	return l.lost()
}

// lost is why the link ended.
func (l *Link) lost() error {
	err := l.conn.err()
	if err == nil || errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return lostError(l.host, err)
}

// Close ends the link at once.
func (l *Link) Close() error {
	l.conn.Close()
	return nil
}

// LocalAddr is this side's address of the connection.
func (l *Link) LocalAddr() net.Addr { return l.conn.LocalAddr() }

// RemoteAddr is the server's; nil where only ssh knows it, and has not said.
func (l *Link) RemoteAddr() net.Addr {
	if l.master == nil {
		return l.conn.RemoteAddr()
	}
	if peer := l.Info().Peer; peer != "" {
		return peerAddr(peer)
	}
	return nil
}

// peerAddr is a server's address in ssh's words, "host:port".
type peerAddr string

// Network is net.Addr.
func (peerAddr) Network() string { return "tcp" }

func (a peerAddr) String() string { return string(a) }

// Info says what the link is made of.
func (l *Link) Info() Info {
	if l.master != nil {
		info := l.master.stderr.negotiated()
		info.Transport = tunnelfile.TransportOpenSSH
		return info
	}
	return l.info
}

// String is for logs: "native to host (cipher, kex)".
func (l *Link) String() string {
	info := l.Info()
	return fmt.Sprintf("%s to %s (%s, %s)", info.Transport, l.host, info.Cipher, info.Kex)
}
