package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Channel is a net.Conn over one SSH channel. It has CloseWrite; it has no deadlines, but
// everything ends when it or its link is closed.
type Channel struct {
	ssh.Channel
	local, remote net.Addr
}

func (c *Channel) LocalAddr() net.Addr  { return c.local }
func (c *Channel) RemoteAddr() net.Addr { return c.remote }

func (c *Channel) SetDeadline(time.Time) error      { return errNoDeadline }
func (c *Channel) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (c *Channel) SetWriteDeadline(time.Time) error { return errNoDeadline }

var errNoDeadline = fmt.Errorf("deadline on an SSH channel: %w", errors.ErrUnsupported)

// NewChannel wraps a channel that is open. Requests on it are refused, and what the server
// sends as standard error is dropped: forwarded connections have neither.
func NewChannel(ch ssh.Channel, reqs <-chan *ssh.Request, local, remote net.Addr) *Channel {
	go ssh.DiscardRequests(reqs)
	return &Channel{Channel: ch, local: local, remote: remote}
}

var _ interface {
	net.Conn
	CloseWrite() error
	io.ReadWriter
} = (*Channel)(nil)
