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

// Link is an authenticated SSH connection that ssh has made. Every call that waits for the server
// returns early when ctx ends or the link is closed.
type Link struct {
	*wire.Base
	master *master

	mu     sync.Mutex
	idle   ssh.Channel       // session for Ping; nil: none yet
	locals map[string]string // local sockets of the person's own master, by the path on the server
}

// Dial logs in with the system's ssh and uses its channels. ConnectTimeout limits the whole
// attempt, without the time that a person takes to answer. The attempt ends at once when ctx ends.
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

// RemoteAddr is the server's address. If ssh has not reported it, it is the way to the server. It
// is nil over the person's own master, which may go to another server.
func (l *Link) RemoteAddr() net.Addr {
	switch peer := l.Info().Peer; {
	case peer != "":
		return wire.Addr{Net: "tcp", Address: peer}
	case l.master.cmd == nil:
		return nil
	}
	return wire.Addr{Net: "proxy", Address: l.master.o.Way()}
}

// LocalAddr only names ssh, because the address of a control socket says nothing.
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

// ping makes one round trip to the server. A ControlMaster sends no keepalive of the connection for
// its clients. So ping sends one on an idle session, which runs nothing. Any reply of the server
// counts. The person's own master is only asked whether it runs, because it would end if its server
// refused a session (see masterChannel).
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
			return nil // this was a round trip; besides, ssh itself watches the server
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

// Run runs a command in a session, with another ssh that uses the ControlMaster.
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
