package forward

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Link is an SSH connection, as this package uses it. The server resolves addresses. network is "tcp" (addr
// is host:port) or "unix" (addr is a path).
//
// Methods with a ctx return as soon as it ends. Connections have CloseWrite, to pass a half-close on. If the
// server could not or would not reach a target, the error wraps *ssh.OpenChannelError. Every other error of
// DialContext is taken for a failure of the link.
type Link interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	// ListenContext asks the server to listen. The host part of addr is as in tcpip-forward of RFC 4254:
	// empty for all interfaces, "localhost", an address or a name.
	ListenContext(ctx context.Context, network, addr string) (net.Listener, error)
	// RemoveStale removes a unix socket on the server on which nobody answers. It fails if somebody answers,
	// if the path is no socket, or if the server runs no commands.
	RemoveStale(ctx context.Context, path string) error
	// Alive is false from the moment at which the transport failed, before reads from channels return. It
	// tells a closed channel from a lost one. Clients of a lost channel see a reset and not a clean end.
	Alive() bool
	// Unanswered is when the first byte after the last received one was written; zero if nothing waits for
	// an answer. If a link does not answer and there is another one, channels that are being opened do not
	// wait for it.
	Unanswered() time.Time
	// Line is what the kernel knows about the path to the server. minRTT is the shortest round trip. lost
	// counts packets that were sent again, or that arrived after a missing one. ok is false if that is unknown.
	Line() (minRTT time.Duration, lost uint64, ok bool)
}

// Splicer is an optional part of a Link's connections. It moves bytes between itself and a local socket
// within the kernel, by splice(2). Each call waits for some bytes, and says which side failed. A readErr
// of [errors.ErrUnsupported] means that the bytes must be copied.
type Splicer interface {
	SpliceFrom(socket syscall.Conn) (n int, readErr, writeErr error)
	SpliceTo(socket syscall.Conn) (n int, readErr, writeErr error)
}
