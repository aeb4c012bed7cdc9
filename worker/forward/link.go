package forward

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Link is an SSH connection as this package needs it. Addresses are resolved on
// the server's side; network is "tcp" (addr is host:port) or "unix" (addr is a path).
//
// Both methods return as soon as ctx ends. Connections have CloseWrite, so that a
// half-close can be passed on. A target that the server could not or would not
// reach is reported by an error that wraps *ssh.OpenChannelError; every other error
// of DialContext is taken for trouble with the link itself.
type Link interface {
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	// ListenContext asks the server to listen. The host part of addr is what ssh
	// sends: empty for all interfaces, "localhost", an address or a name.
	ListenContext(ctx context.Context, network, addr string) (net.Listener, error)
}

// StaleRemover is what a Link may have besides: it removes a unix socket on the
// server that nobody answers on. It fails when somebody does, when the path is
// no socket, and when the server gives no shell to do it with.
type StaleRemover interface {
	RemoveStale(ctx context.Context, path string) error
}

// Liveness is what a Link may have besides: Alive is false from the moment the
// transport failed, before the channels' reads end. It tells a channel that was
// closed from one that was lost, so that clients of the latter see a reset rather
// than a clean end.
type Liveness interface {
	Alive() bool
}

// Stalling is what a Link may have besides: Unanswered is when the first byte was
// written since the last one came; zero where nothing waits for an answer. A channel
// that is being opened on a link that answers nothing is not worth waiting for once
// there is another link.
type Stalling interface {
	Unanswered() time.Time
}

// Splicer is what a connection of a Link may have besides: it moves bytes between itself and a
// socket here within the kernel, as splice(2) does. Each call waits for some, and says which side
// failed. A readErr of [errors.ErrUnsupported] means that bytes have to be copied.
type Splicer interface {
	SpliceFrom(socket syscall.Conn) (n int, readErr, writeErr error)
	SpliceTo(socket syscall.Conn) (n int, readErr, writeErr error)
}
