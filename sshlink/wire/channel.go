package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
)

// Channel is a net.Conn over one SSH channel. It has CloseWrite; it has no deadlines, but
// everything ends when it or its link is closed.
type Channel struct {
	ssh.Channel
	local, remote net.Addr

	base    *Base
	stream  stream
	window  window
	managed bool // by window; else by x/crypto
	taken   int  // by Next, and not credited yet
}

// Close closes the channel at once.
func (c *Channel) Close() error {
	if c.managed {
		c.window.close()
	}
	return c.Channel.Close()
}

// Read is for one goroutine.
func (c *Channel) Read(p []byte) (int, error) {
	if !c.managed {
		return c.Channel.Read(p)
	}
	n, err := c.stream.read(p)
	c.consumed(n)
	return n, err
}

// nextSize is how much Next takes at once.
const nextSize = 256 << 10

// Next waits for what the server sends and returns it without a copy, in as many pieces as into has
// room for. The server may send more once Next is called again: what was returned has gone on by
// then. It is for the goroutine that reads. The error is [errors.ErrUnsupported] of a channel that
// has no such way.
func (c *Channel) Next(into net.Buffers) (net.Buffers, error) {
	if !c.managed {
		return nil, errors.ErrUnsupported
	}
	c.consumed(c.taken)
	var err error
	into, c.taken, err = c.stream.next(into[:0], nextSize)
	return into, err
}

// consumed notes that n bytes were read, and lets the server send more now and then.
func (c *Channel) consumed(n int) {
	if credit := c.window.take(n, c.base.minRTT); credit > 0 {
		c.stream.credit(credit)
	}
}

func (c *Channel) LocalAddr() net.Addr  { return c.local }
func (c *Channel) RemoteAddr() net.Addr { return c.remote }

func (c *Channel) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *Channel) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *Channel) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = fmt.Errorf("deadline on an SSH channel: %w", errors.ErrUnsupported)

// NewChannel wraps a channel that is open. Requests on it are refused, and what the server sends
// as standard error is dropped: forwarded connections have neither.
func (b *Base) NewChannel(ch ssh.Channel, reqs <-chan *ssh.Request, local, remote net.Addr) *Channel {
	go ssh.DiscardRequests(reqs)
	go b.discard(ch.Stderr())
	c := &Channel{Channel: ch, local: local, remote: remote, base: b}
	if c.stream, c.managed = newStream(ch); c.managed {
		c.window.open()
	}
	return c
}

// maxStderr is how many bytes of standard error a server may send on one channel.
const maxStderr = 64 << 10

// discard reads to the end. What nobody reads x/crypto keeps, up to the window of each channel. A
// server that floods one may not read either, which makes whoever reads wait: it loses the link.
func (b *Base) discard(r io.Reader) {
	buffer := make([]byte, 256)
	for total := 0; total <= maxStderr; {
		n, err := r.Read(buffer)
		if err != nil {
			return
		}
		total += n
	}
	b.Quit(fault.New(fault.Lost, "%s floods a forwarded connection with standard error, which none has", b.Host))
}

var _ interface {
	net.Conn
	CloseWrite() error
	io.ReadWriter
} = (*Channel)(nil)
