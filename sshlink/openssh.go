package sshlink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
)

// dialOpenSSH logs in by the system's ssh and takes its channels over.
func (r *Resolved) dialOpenSSH(parent context.Context) (*Link, error) {
	ctx, a, cancel := asking.Start(parent, r.ConnectTimeout, r.ask)
	defer cancel()
	l, err := r.openMaster(ctx, a)
	switch {
	case err == nil:
		return l, nil
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case errors.Is(context.Cause(ctx), asking.ErrTimeout):
		return nil, fault.Because(fault.Unreachable, asking.ErrTimeout, "ssh to %s did not log in within %s (ConnectTimeout)", r.HostName, r.ConnectTimeout)
	}
	return nil, err
}

func (r *Resolved) openMaster(ctx context.Context, a *asking.Attempt) (*Link, error) {
	m, err := r.startMaster(ctx, a)
	if err != nil {
		return nil, err
	}
	under, err := net.Dial("unix", m.socket)
	if err != nil {
		m.close()
		return nil, fault.Wrap(fault.Unreachable, err, "ssh's control socket")
	}
	c := newConn(&masterConn{Conn: under, reader: bufio.NewReaderSize(under, 64<<10), master: m})
	c.greetingDone.Store(true)
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
	l := newLink(c, sc, r.HostName)
	l.master = m
	l.serve(chans, reqs)
	l.onEnd(m.close)
	return l, nil
}

// pingMaster measures one round trip through a ControlMaster, which passes on no keepalive of
// the connection's: it asks on an idle session, which runs nothing, and the server's answer,
// be it yes or no, is an answer. The person's own master is only asked whether it is there:
// a session that its server refused would be the end of it (see masterChannel).
func (l *Link) pingMaster(ctx context.Context) error {
	if l.master.cmd == nil {
		return l.master.control(ctx, io.Discard, "check")
	}
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		ch, reqs, err := l.openChannel(ctx, "session", nil)
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
			return l.channelError(err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.ended:
		return l.lost()
	}
}

// runBeside runs a command through a ControlMaster, by an ssh of its own.
func (m *master) runBeside(ctx context.Context, command string, stdout, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "ssh", "-F", "none", "-S", m.socket, "-T", "-n", "-o", "LogLevel=ERROR", "--", "master", command)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = masterGrace
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return &ExitError{Status: exit.ExitCode()}
	}
	return err
}
