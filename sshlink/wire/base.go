package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
)

// CancelTimeout limits how long Close of a remote listener waits for the server's reply.
const CancelTimeout = 5 * time.Second

// Base is what the links of both transports have in common: an SSH connection, its state, its end,
// and its channels.
type Base struct {
	Conn *Conn
	SSH  ssh.Conn
	Host string // for messages

	ended chan struct{} // closed when the link is lost or closed
	mu    sync.Mutex
	after []func() // run once, when ended
	done  bool
}

// NewBase makes the base of a link whose connection has logged in. Watch starts it.
func NewBase(c *Conn, sc ssh.Conn, host string) *Base {
	return &Base{Conn: c, SSH: sc, Host: host, ended: make(chan struct{})}
}

// Watch ends the link when its connection or the SSH protocol on it ends.
func (b *Base) Watch() {
	go func() {
		<-b.Conn.Closed()
		b.end()
	}()
	go func() {
		// Only this error has the server's last message, or what was wrong with what it sent.
		if err := b.SSH.Wait(); err != nil {
			b.Conn.Fail(err)
		}
		b.Conn.End()
	}()
}

// end runs once, when the connection cannot be used any more.
func (b *Base) end() {
	b.mu.Lock()
	b.done = true
	after := b.after
	b.after = nil
	b.mu.Unlock()
	close(b.ended)
	b.Conn.End()
	for _, f := range after {
		f()
	}
}

// OnEnd runs f when the link has ended, or at once if it has ended already.
func (b *Base) OnEnd(f func()) {
	b.mu.Lock()
	if !b.done {
		b.after = append(b.after, f)
		f = nil
	}
	b.mu.Unlock()
	if f != nil {
		f()
	}
}

// Ended is closed when the link is lost or closed.
func (b *Base) Ended() <-chan struct{} { return b.ended }

// LastReceived is when the last byte came from the server.
func (b *Base) LastReceived() time.Time { return time.Unix(0, b.Conn.lastReceived.Load()) }

// Unanswered is when the first byte was written since the last read, or zero if none was.
func (b *Base) Unanswered() time.Time {
	if t := b.Conn.unanswered.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Time{}
}

// Busy receives a token at the first write since the last read. Its capacity is one.
func (b *Base) Busy() <-chan struct{} { return b.Conn.busy }

// Alive is false once the connection has failed or was closed.
func (b *Base) Alive() bool { return b.Conn.Err() == nil }

// Wait waits until the link is lost or closed, and returns why.
func (b *Base) Wait() error {
	<-b.ended
	return b.Lost()
}

// Lost is why the link ended.
func (b *Base) Lost() error {
	err := b.Conn.Err()
	if err == nil || errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return LostError(b.Host, err)
}

// Close ends the link at once.
func (b *Base) Close() error {
	b.Conn.End()
	return nil
}

// Quit ends the link for a reason that we have.
func (b *Base) Quit(reason error) {
	b.Conn.Fail(reason)
	b.Conn.End()
}

// LocalAddr is this side's address of the connection.
func (b *Base) LocalAddr() net.Addr { return b.Conn.LocalAddr() }

// DialUnix opens a channel to a unix socket on the server, see OpenSSH's PROTOCOL, 2.4.
func (b *Base) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	ch, reqs, err := b.OpenChannel(ctx, "direct-streamlocal@openssh.com", ssh.Marshal(struct {
		Path      string
		Reserved  string
		Reserved2 uint32
	}{Path: path}))
	if err != nil {
		return nil, err
	}
	return b.NewChannel(ch, reqs, b.LocalAddr(), Addr{"unix", path}), nil
}

// OpenChannel opens a channel. If ctx or the link ends first, a channel that the server opens later
// is closed.
func (b *Base) OpenChannel(ctx context.Context, kind string, payload []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch   ssh.Channel
		reqs <-chan *ssh.Request
		err  error
	}
	var once sync.Mutex
	abandoned := false
	result := make(chan opened, 1)
	go func() {
		ch, reqs, err := b.SSH.OpenChannel(kind, payload)
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
			return nil, nil, b.ChannelError(o.err)
		}
		return o.ch, o.reqs, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-b.ended:
		err = b.Lost()
	}
	once.Lock()
	defer once.Unlock()
	abandoned = true
	select {
	case o := <-result: // both happened at the same moment
		if o.err == nil {
			go ssh.DiscardRequests(o.reqs)
			o.ch.Close()
		}
	default:
	}
	return nil, nil, err
}

// ChannelError returns the server's refusal, with a message that can be shown. Any other error
// means that the link is lost.
func (b *Base) ChannelError(err error) error {
	if refusal, ok := err.(*ssh.OpenChannelError); ok {
		return &ssh.OpenChannelError{Reason: refusal.Reason, Message: text.FromPeer(refusal.Message)}
	}
	select {
	case <-b.ended:
		return b.Lost()
	default:
		return LostError(b.Host, err)
	}
}
