package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// proxyGrace is how long a ProxyCommand may take to end after its connection is closed. Then it is
// killed.
const proxyGrace = 500 * time.Millisecond

// proxyConn is a connection through a ProxyCommand. The command's process group ends with it.
type proxyConn struct {
	net.Conn
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	stderr *tail
	close  sync.Once
	addr   wire.Addr
}

// dialProxy runs the ProxyCommand in the person's shell, as ssh does, and uses the command's
// standard input and output as the connection. With ProxyUseFdpass the command makes a connection,
// passes its descriptor, and ends.
func (s server) dialProxy(ctx context.Context) (net.Conn, error) {
	ours, theirs, err := wire.SocketPair()
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "%s", s.Proxy())
	}
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	stderr := &tail{log: s.Log.With("from", "ProxyCommand")}
	// Not CommandContext: the process must live as long as the connection, not as the attempt.
	cmd := exec.Command(shell, "-c", "exec "+s.ProxyCommand)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = proxyGrace // a grandchild that keeps stderr open must not block Wait
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		reason := fault.Unreachable // the kernel has no process or no memory left
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			reason = fault.Settings
		}
		return nil, fault.Wrap(reason, err, "%s", s.Proxy())
	}
	p := &proxyConn{Conn: ours, cmd: cmd, ended: make(chan struct{}), stderr: stderr, addr: wire.Addr{Net: "proxy", Address: s.Way()}}
	go func() {
		cmd.Wait()
		// Kill what the command left behind, at once: later the number may be another group's.
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		close(p.ended)
	}()
	if !s.Yes("proxyusefdpass") {
		return p, nil
	}
	stop := context.AfterFunc(ctx, func() { p.Close() })
	defer stop()
	passed, err := receiveConn(ours.(*net.UnixConn))
	p.Close()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) {
			err = p.explain(errors.New("it passed no connection"))
		}
		return nil, fault.Wrap(fault.Unreachable, err, "%s", s.Proxy())
	}
	return passed, nil
}

// LocalAddr and RemoteAddr describe the way to the server, because a socket pair has no useful
// addresses.
func (p *proxyConn) LocalAddr() net.Addr  { return p.addr }
func (p *proxyConn) RemoteAddr() net.Addr { return p.addr }

// Close closes the connection, and ends the command with everything that it started.
func (p *proxyConn) Close() error {
	err := net.ErrClosed
	p.close.Do(func() {
		err = p.Conn.Close()
		p.signal(syscall.SIGHUP) // what ssh sends its ProxyCommand
		time.AfterFunc(proxyGrace, func() { p.signal(syscall.SIGKILL) })
	})
	return err
}

// signal sends a signal to the command's process group, unless the command has ended.
func (p *proxyConn) signal(s syscall.Signal) {
	select {
	case <-p.ended:
	default:
		syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// explain adds the last line that the command wrote to its standard error, or else its exit status.
// It adds nothing if the command does not end within 100 ms.
func (p *proxyConn) explain(err error) error {
	select {
	case <-p.ended:
	case <-time.After(100 * time.Millisecond):
		return err
	}
	if text := p.stderr.last(); text != "" {
		return fmt.Errorf("%w; the ProxyCommand said: %s", err, text)
	}
	if state := p.cmd.ProcessState; state != nil && !state.Success() {
		return fmt.Errorf("%w; the ProxyCommand ended with %s", err, state)
	}
	return err
}

// receiveConn receives one connected socket, sent with SCM_RIGHTS (unix(7)).
func receiveConn(from *net.UnixConn) (net.Conn, error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := from.ReadMsgUnix(data, control)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil || len(fds) == 0 {
			continue
		}
		unix.CloseOnExec(fds[0])
		f := os.NewFile(uintptr(fds[0]), "passed")
		defer f.Close()
		return net.FileConn(f)
	}
	return nil, io.EOF
}

// tail keeps the last line of what a child writes to its standard error, and logs every line.
type tail struct {
	log *slog.Logger

	mu      sync.Mutex
	partial []byte
	line    string
}

// lineLimit limits a line, in bytes: a child may write without end.
const lineLimit = 1024

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			t.flush()
		case len(t.partial) < lineLimit:
			t.partial = append(t.partial, c)
		}
	}
	return len(p), nil
}

func (t *tail) flush() {
	if len(t.partial) == 0 {
		return
	}
	t.line = text.FromPeer(string(t.partial))
	t.partial = t.partial[:0]
	t.log.Info(t.line)
}

func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush()
	return t.line
}
