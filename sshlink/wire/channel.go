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

// Channel is a net.Conn over one SSH channel. It has CloseWrite. It has no deadlines, but every
// call ends when the channel or its link is closed.
type Channel struct {
	ssh.Channel
	local, remote net.Addr

	base    *Base
	stream  stream
	window  window
	managed bool // window decides what the server may send; else x/crypto does
	taken   int  // bytes that Next returned and that are not credited yet
}

// Close closes the channel at once.
func (c *Channel) Close() error {
	if c.managed {
		c.window.close()
	}
	return c.Channel.Close()
}

// Read is for one goroutine at a time.
func (c *Channel) Read(p []byte) (int, error) {
	if !c.managed {
		return c.Channel.Read(p)
	}
	n, err := c.stream.read(p)
	c.consumed(n)
	return n, err
}

// nextSize is how many bytes Next takes at once.
const nextSize = 256 << 10

// Next waits for data from the server and returns it without a copy, in as many pieces as into has
// room for. The caller must be done with the data when it calls Next again, because that lets the
// server send more. Next is for the goroutine that reads. It returns [errors.ErrUnsupported] if
// x/crypto manages the window.
func (c *Channel) Next(into net.Buffers) (net.Buffers, error) {
	if !c.managed {
		return nil, errors.ErrUnsupported
	}
	c.consumed(c.taken)
	var err error
	into, c.taken, err = c.stream.next(into[:0], nextSize)
	return into, err
}

// consumed notes that n bytes were read, and lets the server send more from time to time.
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

// NewChannel wraps an open channel. It refuses requests on the channel and drops what the server
// sends as standard error, because forwarded connections have neither.
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

// discard reads r to the end, because x/crypto keeps what nobody reads, up to the window of each
// channel. A server that floods a channel may also not read. Then whoever reads the channel has to
// wait. Such a server loses the link.
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
