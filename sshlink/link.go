package sshlink

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/sshlink/openssh"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// Link is an authenticated SSH connection. Everything on it that waits for the server can be
// abandoned by ctx, and ends when the link is closed.
type Link interface {
	// DialContext opens a channel to an address as the server sees it: network is "tcp" and addr
	// host:port, or network is "unix" and addr a path. A refusal of the server's is an error that
	// wraps *ssh.OpenChannelError.
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	// ListenContext asks the server to listen, on the same kinds of address; the host part goes to
	// the server as it is (empty for all interfaces, "localhost", an address), and port 0 lets it
	// choose. Its no is a *wire.RefusedError.
	ListenContext(ctx context.Context, network, addr string) (net.Listener, error)
	// Run runs a command in a session and waits for its end: nil for exit status 0, else a
	// *wire.ExitError, or why there is no session or no status. Its standard input is empty.
	//
	// Where the server or the key forces a command (ForceCommand, command= in authorized_keys)
	// that one runs instead: call Run only where the person asked for a command.
	Run(ctx context.Context, command string, stdout, stderr io.Writer) error
	// RemoveStale removes a unix socket on the server on which nobody answers.
	RemoveStale(ctx context.Context, path string) error

	// Ping measures one round trip. It returns when ctx ends; the question then still waits for
	// its answer, and further Pings wait behind it.
	Ping(ctx context.Context) (time.Duration, error)
	// LastReceived is when the last byte came from the server.
	LastReceived() time.Time
	// Unanswered is when the first byte was written since the last one was read; zero where
	// nothing waits for an answer.
	Unanswered() time.Time
	// Busy has a token after a write that ended a silence. Its capacity is one.
	Busy() <-chan struct{}
	// Progress is what the server's kernel has acknowledged of what was written, and what it has
	// not; false where that cannot be told.
	Progress() (acknowledged, queued uint64, ok bool)
	// Line is the shortest round trip to the server lately, and how many packets were lost so far,
	// or came out of order; false where that cannot be told.
	Line() (minRTT time.Duration, lost uint64, ok bool)

	// Alive is false from the moment that the connection failed or was closed.
	Alive() bool
	// Wait waits until the link is lost or closed and says why.
	Wait() error
	// Close ends the link at once.
	Close() error

	// LocalAddr is this side's address of the connection, RemoteAddr the server's; nil where only
	// ssh knows it, and has not said.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	// Info says what the link is made of.
	Info() wire.Info
}

var _, _ Link = (*native.Link)(nil), (*openssh.Link)(nil)
