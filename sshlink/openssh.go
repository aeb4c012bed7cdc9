package sshlink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// dialOpenSSH logs in by the system's ssh and takes its channels over.
func (r *Resolved) dialOpenSSH(parent context.Context) (*Link, error) {
	ctx, a, cancel := startAttempt(parent, r.ConnectTimeout)
	defer cancel()
	l, err := r.openMaster(ctx, a)
	switch {
	case err == nil:
		return l, nil
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case errors.Is(context.Cause(ctx), errConnectTimeout):
		return nil, because(passing, errConnectTimeout, "ssh to %s did not log in within %s (ConnectTimeout)", r.HostName, r.ConnectTimeout)
	}
	return nil, err
}

func (r *Resolved) openMaster(ctx context.Context, a *attempt) (*Link, error) {
	m, err := r.startMaster(ctx, a)
	if err != nil {
		return nil, err
	}
	under, err := net.Dial("unix", m.socket)
	if err != nil {
		m.close()
		return nil, wrapf(passing, err, "ssh's control socket")
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
		return nil, wrapf(passing, err, "ssh's control socket")
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

// masterListener is a remote listener made by ssh -O forward: the server's connections come
// to a unix socket of ours in the master's folder.
type masterListener struct {
	net.Listener
	link *Link
	key  forwardKey
	spec string // what -R was given
	addr net.Addr
	dir  string

	once sync.Once
}

var allocated = regexp.MustCompile(`^\s*(?:Allocated port )?(\d+)`)

func (l *Link) listenMaster(ctx context.Context, key forwardKey) (net.Listener, error) {
	dir, err := privateDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "r")
	local, err := net.Listen("unix", path)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	ln := &masterListener{Listener: local, link: l, key: key, dir: dir, addr: key.address()}
	where, err := key.specification()
	if err != nil {
		ln.release()
		return nil, err
	}
	ln.spec = where + ":" + path
	var out bytes.Buffer
	if err := l.master.control(ctx, &out, "forward", "-R", ln.spec); err != nil {
		ln.release()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !l.Alive() {
			return nil, l.lost()
		}
		return nil, fmt.Errorf("%w (%w)", &RefusedError{Addr: key.text()}, err)
	}
	if m := allocated.FindStringSubmatch(out.String()); m != nil && key.unix == "" && key.port == 0 {
		port, _ := strconv.Atoi(m[1])
		ln.key.port = uint32(port)
		ln.addr = ln.key.address()
	}
	l.onEnd(ln.release)
	return ln, nil
}

// specification is the listening half of -R.
func (k forwardKey) specification() (string, error) {
	switch {
	case k.unix != "":
		if strings.ContainsAny(k.unix, ":\\") {
			return "", fmt.Errorf("ssh -R cannot name %q: it has a colon or a backslash in it", k.unix)
		}
		return k.unix, nil
	case k.host == "":
		return "*:" + strconv.Itoa(int(k.port)), nil
	}
	return net.JoinHostPort(k.host, strconv.Itoa(int(k.port))), nil
}

// Accept waits for a connection to the remote listener.
func (ln *masterListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil && !ln.link.Alive() {
		return nil, ln.link.lost()
	}
	return c, err
}

// Close lets the server stop listening.
func (ln *masterListener) Close() error {
	ln.release()
	if !ln.link.Alive() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelTimeout)
	defer cancel()
	return ln.link.master.control(ctx, &bytes.Buffer{}, "cancel", "-R", ln.spec)
}

// release lets go of everything on this side.
func (ln *masterListener) release() {
	ln.once.Do(func() {
		ln.Listener.Close()
		os.RemoveAll(ln.dir)
	})
}

// Addr is where the server listens, as it was asked to.
func (ln *masterListener) Addr() net.Addr { return ln.addr }
