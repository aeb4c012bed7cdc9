package openssh

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Link is an authenticated SSH connection that ssh has made. Everything on it that waits for the
// server can be abandoned by ctx, and ends when the link is closed.
type Link struct {
	*wire.Base
	master *master

	mu     sync.Mutex
	idle   ssh.Channel       // the session for Ping; nil: none yet
	locals map[string]string // where the person's master listens for unix sockets on the server
}

// Dial logs in by the system's ssh and takes its channels over. ConnectTimeout bounds it but for
// the time that a person takes to answer; the end of ctx ends it at once.
func Dial(parent context.Context, o *config.Options, ask asking.Asker) (*Link, error) {
	ctx, a, cancel := asking.Start(parent, o.ConnectTimeout, ask)
	defer cancel()
	l, err := open(ctx, o, a)
	switch {
	case err == nil:
		return l, nil
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case errors.Is(context.Cause(ctx), asking.ErrTimeout):
		return nil, fault.Because(fault.Unreachable, asking.ErrTimeout, "ssh to %s did not log in within %s (ConnectTimeout)", o.HostName, o.ConnectTimeout)
	}
	return nil, err
}

func open(ctx context.Context, o *config.Options, a *asking.Attempt) (*Link, error) {
	m, err := startMaster(ctx, o, a)
	if err != nil {
		return nil, err
	}
	under, err := net.Dial("unix", m.socket)
	if err != nil {
		m.close()
		return nil, fault.Wrap(fault.Unreachable, err, "ssh's control socket")
	}
	c := wire.NewConn(&masterConn{Conn: under, reader: bufio.NewReaderSize(under, 64<<10), master: m})
	c.EndGreeting()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	sc, chans, reqs, err := ssh.NewControlClientConn(c)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		m.close()
		return nil, fault.Wrap(fault.Unreachable, err, "ssh's control socket")
	}
	l := &Link{Base: wire.NewBase(c, sc, o.HostName), master: m}
	l.OnEnd(m.close)
	l.Watch()
	go ssh.DiscardRequests(reqs)
	go func() {
		for ch := range chans {
			ch.Reject(ssh.Prohibited, "nobody listens for it")
		}
	}()
	return l, nil
}

// Info says what the link is made of.
func (l *Link) Info() wire.Info {
	info := l.master.stderr.negotiated()
	info.Transport = tunnelfile.TransportOpenSSH
	return info
}

// RemoteAddr is the server's address, or where ssh has not said it the way there; nil over the
// person's own master, which may go elsewhere.
func (l *Link) RemoteAddr() net.Addr {
	switch peer := l.Info().Peer; {
	case peer != "":
		return wire.Addr{Net: "tcp", Address: peer}
	case l.master.cmd == nil:
		return nil
	}
	return wire.Addr{Net: "proxy", Address: l.master.o.Way()}
}

// LocalAddr names the way: that of a control socket says nothing.
func (l *Link) LocalAddr() net.Addr { return wire.Addr{Net: "proxy", Address: "ssh"} }

// DialContext opens a channel to an address as the server sees it.
func (l *Link) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	to, err := wire.ParseEndpoint(network, addr)
	if err != nil {
		return nil, err
	}
	if to.Unix != "" {
		return l.dialUnix(ctx, to.Unix)
	}
	return l.dialTCP(ctx, to, wire.Addr{Net: network, Address: addr})
}

// RemoveStale is [wire.RemoveStale].
func (l *Link) RemoveStale(ctx context.Context, path string) error {
	return wire.RemoveStale(ctx, l, path)
}

// Ping measures one round trip.
func (l *Link) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if err := l.ping(ctx); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// ping makes one round trip through a ControlMaster, which passes on no keepalive of
// the connection's: it asks on an idle session, which runs nothing, and the server's answer,
// be it yes or no, is an answer. The person's own master is only asked whether it is there:
// a session that its server refused would be the end of it (see masterChannel).
func (l *Link) ping(ctx context.Context) error {
	if l.master.cmd == nil {
		return l.master.control(ctx, io.Discard, "check")
	}
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		ch, reqs, err := l.OpenChannel(ctx, "session", nil)
		if _, refused := errors.AsType[*ssh.OpenChannelError](err); refused {
			return nil // once was a round trip; ssh itself watches the server besides
		}
		if err != nil {
			return err
		}
		go ssh.DiscardRequests(reqs)
		l.mu.Lock()
		l.idle = ch
		l.mu.Unlock()
		return nil
	}
	answered := make(chan error, 1)
	go func() {
		_, err := idle.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		if err != nil {
			return l.ChannelError(err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.Ended():
		return l.Lost()
	}
}

// Run runs a command in a session, by an ssh of its own through the ControlMaster.
func (l *Link) Run(ctx context.Context, command string, stdout, stderr io.Writer) error {
	args := []string{"-F", "none", "-S", l.master.socket, "-T", "-n", "-o", "LogLevel=ERROR"}
	environment := l.master.o.Environment()
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		args = append(args, "-o", "SendEnv="+name)
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "--", "master", command)...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = masterGrace
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &wire.ExitError{Status: exit.ExitCode()}
	}
	return err
}
