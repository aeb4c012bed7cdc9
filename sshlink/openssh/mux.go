package openssh

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// Messages of OpenSSH's PROTOCOL.mux that are used here.
const (
	muxHello         = 0x00000001
	muxNewStdioFwd   = 0x10000008
	muxDenied        = 0x80000002
	muxFailure       = 0x80000003
	muxSessionOpened = 0x80000006

	muxVersion = 4
	muxLimit   = 256 << 10 // longest message in bytes, as in OpenSSH
)

// masterChannel is a channel that a ControlMaster opened for us. We passed two pipes to the master,
// one for each direction so that each can end by itself. The channel lasts as long as the control
// connection. A pipe needs one copy less than a pair of sockets, see SpliceTo.
//
// x/crypto's NewControlClientConn would give channels too. But ssh 9.2 keeps an entry for each such
// channel that the server refuses, 10,000 at most. When a client that had such an entry leaves, ssh
// ends, with every session in it.
type masterChannel struct {
	link    *Link
	control *net.UnixConn
	in, out pipeEnd
	remote  net.Addr
	once    sync.Once
}

// dialTCP opens a channel to host:port.
func (l *Link) dialTCP(ctx context.Context, to wire.Endpoint, remote net.Addr) (net.Conn, error) {
	control, err := (&net.Dialer{}).DialContext(ctx, "unix", l.master.socket)
	if err != nil {
		return nil, l.masterError(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { control.Close() })
	c := &masterChannel{link: l, control: control.(*net.UnixConn), remote: remote}
	err = c.open(to)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, l.masterError(ctx, err)
	}
	return c, nil
}

// dialUnix opens a channel to a unix socket on the server. The control protocol has no message for
// that. If the master is ours, it uses x/crypto's channels, because it does not matter how that
// master ends. The person's own master is made to listen on a local socket for it. Then a refusal
// looks the same as the end of a connection.
func (l *Link) dialUnix(ctx context.Context, path string) (net.Conn, error) {
	if l.master.cmd != nil {
		return l.DialUnix(ctx, path)
	}
	local, err := l.localForward(ctx, path)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", local)
}

// localForward makes the master listen on a local socket until the link ends, and returns its path.
func (l *Link) localForward(ctx context.Context, path string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if local := l.locals[path]; local != "" {
		return local, nil
	}
	if err := nameable("-L", path); err != nil {
		return "", err
	}
	dir, remove, err := privateDir()
	if err != nil {
		return "", err
	}
	local := filepath.Join(dir, "l")
	spec := local + ":" + path
	if err := l.master.control(ctx, io.Discard, "forward", "-L", spec); err != nil {
		if ctx.Err() != nil { // ssh may have got the command before
			l.master.withdraw("-L", spec)
		}
		remove()
		return "", err
	}
	if l.locals == nil {
		l.locals = make(map[string]string)
	}
	l.locals[path] = local
	l.OnEnd(func() {
		l.master.withdraw("-L", spec)
		remove()
	})
	return local, nil
}

// masterError returns a refusal as it is. Any other error is ctx's, or means that the link is lost.
func (l *Link) masterError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, ok := err.(*ssh.OpenChannelError); ok {
		return err
	}
	// ssh is ending. Wait until it says why.
	select {
	case <-l.Ended():
		return l.Lost()
	case <-time.After(masterGrace):
		return fault.Wrap(fault.Lost, err, "ssh's control socket")
	}
}

// open requests the channel on the control connection, with two pipes of ours as its ends. After an
// error the channel must be closed.
func (c *masterChannel) open(to wire.Endpoint) error {
	if err := muxWrite(c.control, binary.BigEndian.AppendUint32(muxMessage(muxHello), muxVersion)); err != nil {
		return err
	}
	if kind, _, err := muxRead(c.control); err != nil || kind != muxHello {
		return errors.Join(err, fmt.Errorf("message %#x in place of a greeting", kind))
	}
	request := binary.BigEndian.AppendUint32(muxMessage(muxNewStdioFwd), 0) // request number
	request = appendString(request, "")                                     // reserved
	request = appendString(request, to.Host)
	request = binary.BigEndian.AppendUint32(request, to.Port)
	if err := muxWrite(c.control, request); err != nil {
		return err
	}
	if err := c.passStdio(); err != nil {
		return err
	}
	kind, body, err := muxRead(c.control)
	if err == nil && kind != muxSessionOpened {
		err = muxRefusal(kind, body)
	}
	return err
}

// passStdio makes the two pipes and passes their far ends to the master as standard input and output.
func (c *masterChannel) passStdio() error {
	stdin, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	c.out.File = out
	in, stdout, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdout.Close()
	c.in.File = in
	for _, f := range []*os.File{stdin, stdout} {
		if _, _, err = c.control.WriteMsgUnix([]byte{0}, unix.UnixRights(int(f.Fd())), nil); err != nil {
			return err
		}
	}
	return nil
}

// muxRefusal is the error for a reply that is not a yes.
func muxRefusal(kind uint32, body []byte) error {
	if kind != muxFailure && kind != muxDenied {
		return fmt.Errorf("message %#x in place of an answer", kind)
	}
	var m struct {
		Number uint32
		Reason string
	}
	ssh.Unmarshal(body, &m)
	reason := ssh.ConnectionFailed
	if kind == muxDenied {
		reason = ssh.Prohibited
	}
	return &ssh.OpenChannelError{Reason: reason, Message: text.FromPeer(m.Reason)}
}

func muxMessage(kind uint32) []byte { return binary.BigEndian.AppendUint32(nil, kind) }

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func muxWrite(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}

func muxRead(r io.Reader) (kind uint32, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 4 || length > muxLimit {
		return 0, nil, fmt.Errorf("message of %d bytes", length)
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(r, message); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(message), message[4:], nil
}

func (c *masterChannel) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if n > 0 {
		c.link.Conn.NoteAnswer()
	}
	return n, err
}

func (c *masterChannel) Write(p []byte) (int, error) {
	c.link.Conn.NoteQuestion()
	return c.out.Write(p)
}

// CloseWrite tells the server that no more data will come.
func (c *masterChannel) CloseWrite() error { return c.out.Close() }

// Close closes the channel.
func (c *masterChannel) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		c.out.Close()
		c.in.Close()
		err = c.control.Close()
	})
	return err
}

func (c *masterChannel) LocalAddr() net.Addr  { return c.link.LocalAddr() }
func (c *masterChannel) RemoteAddr() net.Addr { return c.remote }

func (c *masterChannel) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
func (c *masterChannel) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *masterChannel) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
