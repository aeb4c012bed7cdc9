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

// Link is an authenticated SSH connection. Every call that waits for the server returns early when
// ctx ends or the link is closed.
type Link interface {
	// DialContext opens a channel to an address as the server sees it. If network is "tcp", addr is
	// host:port; if it is "unix", addr is a path. If the server refuses, the error wraps
	// *ssh.OpenChannelError.
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	// ListenContext asks the server to listen on an address of the same kinds. The host part goes
	// to the server unchanged: empty for all interfaces, "localhost", or an address. With port 0
	// the server chooses the port. If the server refuses, the error wraps *wire.RefusedError.
	ListenContext(ctx context.Context, network, addr string) (net.Listener, error)
	// Run runs a command in a session and waits for it to end. It returns nil for exit status 0, a
	// *wire.ExitError for any other end of the command, or why there is no session or no status.
	// The command's standard input is empty.
	//
	// If the server or the key forces a command (ForceCommand in sshd_config(5), command= in
	// authorized_keys), that command runs instead. So call Run only if the person asked for a
	// command.
	Run(ctx context.Context, command string, stdout, stderr io.Writer) error
	// RemoveStale removes a unix socket on the server on which nobody listens.
	RemoveStale(ctx context.Context, path string) error

	// Ping measures one round trip. It returns when ctx ends, but its request still waits for the
	// answer then, and later Pings wait behind it.
	Ping(ctx context.Context) (time.Duration, error)
	// LastReceived is when the last byte came from the server.
	LastReceived() time.Time
	// Unanswered is when the first byte was written since the last read, or zero if none was.
	Unanswered() time.Time
	// Busy receives a token at the first write since the last read. Its capacity is one.
	Busy() <-chan struct{}
	// Progress is how many of the bytes written the server's kernel has acknowledged, and how many
	// it has not. ok is false if that is unknown.
	Progress() (acknowledged, queued uint64, ok bool)
	// Line is the shortest recent round trip to the server, and how many packets so far were lost
	// or came out of order. ok is false if that is unknown.
	Line() (minRTT time.Duration, lost uint64, ok bool)

	// Alive is false once the connection has failed or was closed.
	Alive() bool
	// Wait waits until the link is lost or closed, and returns why.
	Wait() error
	// Close ends the link at once.
	Close() error

	// LocalAddr is this side's address of the connection. RemoteAddr is the server's, or nil if it
	// is unknown.
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	// Info says what the link is made of.
	Info() wire.Info
}

var _, _ Link = (*native.Link)(nil), (*openssh.Link)(nil)
