package bus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// transport reads and writes the bytes of a connection. After the authentication, it passes on only
// whole messages that this side asked for or serves.
//
// It accepts no file descriptors unless it has a fileReader: a peer could fill the table of open
// files of this process.
type transport struct {
	*net.UnixConn
	conn  *Conn
	in    io.Reader
	files *fileReader // nil if it accepts no files

	begun bool // authenticated: messages follow
	rest  []byte
}

func newTransport(socket *net.UnixConn, conn *Conn, takesFiles bool) *transport {
	t := &transport{UnixConn: socket, conn: conn, in: bufio.NewReaderSize(socket, 16<<10)}
	if takesFiles {
		t.files = &fileReader{socket: socket}
		t.in = t.files
		conn.hub.files = t.files
	}
	return t
}

// begin is the last line of the authentication. After it, both sides send messages.
var begin = []byte("BEGIN\r\n")

func (t *transport) Write(b []byte) (int, error) {
	switch {
	case t.begun:
		if !t.conn.gate.answered(b) {
			return len(b), nil
		}
	case bytes.Equal(b, begin):
		if err := t.negotiateFiles(); err != nil {
			return 0, err
		}
		t.begun = true
	}
	return t.UnixConn.Write(b)
}

// negotiateFiles asks the bus to pass file descriptors, if this connection accepts them.
func (t *transport) negotiateFiles() error {
	if t.files == nil {
		return nil
	}
	if _, err := t.UnixConn.Write([]byte("NEGOTIATE_UNIX_FD\r\n")); err != nil {
		return err
	}
	line := make([]byte, 64)
	n, err := t.in.Read(line)
	if err == nil && !bytes.HasPrefix(line[:n], []byte("AGREE_UNIX_FD")) {
		err = errors.New("the bus passes no file descriptors")
	}
	return err
}

func (t *transport) Read(b []byte) (int, error) {
	if !t.begun {
		return t.in.Read(b)
	}
	for len(t.rest) == 0 {
		message, err := t.next()
		if err != nil {
			return 0, err
		}
		t.rest = message
	}
	n := copy(b, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// next reads the next message. It returns nil for a message that is not passed on.
func (t *transport) next() ([]byte, error) {
	message, err := readFixed(t.in)
	if err != nil {
		return nil, err
	}
	fields, body := lengths(message)
	if fields > maxFields {
		return nil, t.skip(fields + body)
	}
	message = append(message, make([]byte, fields)...)
	if _, err := io.ReadFull(t.in, message[fixedHeader:]); err != nil {
		return nil, err
	}
	h, ok := headerOf(message)
	if !ok {
		return nil, t.skip(body)
	}
	if t.files != nil {
		t.files.sort(h.kind == dbus.TypeMethodReply)
	}
	switch h.kind {
	case dbus.TypeMethodCall:
		if refused := t.conn.gate.admit(h); refused != nil {
			t.conn.refuse(h, refused)
			return nil, t.skip(body)
		}
		// The library must answer each call, so that the gate knows what is under way. Remove flags
		// that this version does not know.
		message[2] &= byte(dbus.FlagNoAutoStart | dbus.FlagAllowInteractiveAuthorization)
	case dbus.TypeSignal:
		if body > maxReply || !t.conn.hub.listens(h) {
			return nil, t.skip(body)
		}
	case dbus.TypeMethodReply, dbus.TypeError:
		if body > t.conn.gate.maxReply() {
			return failedReply(h, "the answer is too long"), t.skip(body)
		}
	default:
		return nil, t.skip(body)
	}
	if message, err = readBody(t.in, message, body); err != nil {
		return nil, err
	}
	// godbus closes the connection at a message that it cannot decode.
	if _, err := dbus.DecodeMessage(bytes.NewReader(message)); err != nil {
		switch h.kind {
		case dbus.TypeMethodCall:
			t.conn.gate.done(h.sender, h.serial)
			t.conn.refuse(h, invalidArgs("cannot be decoded"))
		case dbus.TypeMethodReply, dbus.TypeError:
			return failedReply(h, "the answer cannot be decoded"), nil
		}
		return nil, nil
	}
	return message, nil
}

func (t *transport) skip(n uint64) error {
	_, err := io.CopyN(io.Discard, t.in, int64(n))
	return err
}

// readBody reads the rest of a message. It allocates a long one as the bytes come.
func readBody(r io.Reader, message []byte, n uint64) ([]byte, error) {
	b := bytes.NewBuffer(message)
	_, err := io.CopyN(b, r, int64(n))
	return b.Bytes(), err
}

// failedReply is an error in place of a reply that is not accepted.
func failedReply(h header, why string) []byte {
	var b bytes.Buffer
	m := dbus.Message{Type: dbus.TypeError, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(h.replySerial),
		dbus.FieldErrorName:   dbus.MakeVariant(limitsExceeded),
		dbus.FieldSender:      dbus.MakeVariant(h.sender),
		dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf("")),
	}, Body: []any{why}}
	_ = m.EncodeTo(&b, byteOrder('l')) // these values can always be encoded
	return b.Bytes()
}

// refuse answers a call with an error, if it wants a reply.
func (c *Conn) refuse(h header, why *dbus.Error) {
	if why == drop || h.flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	c.raw.Send(&dbus.Message{Type: dbus.TypeError, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(h.sender),
		dbus.FieldReplySerial: dbus.MakeVariant(h.serial),
		dbus.FieldErrorName:   dbus.MakeVariant(why.Name),
		dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(why.Body...)),
	}, Body: why.Body}, nil)
}

// fileReader reads from a socket, and collects the file descriptors that come with the bytes.
type fileReader struct {
	socket *net.UnixConn
	fresh  []int // of the message that is being read

	mu      sync.Mutex
	replies []int // of replies
}

// Read reads no more than it is asked for, so files belong to the message that is being read.
func (r *fileReader) Read(b []byte) (int, error) {
	oob := make([]byte, 1024)
	n, oobn, _, _, err := r.socket.ReadMsgUnix(b, oob)
	messages, parseErr := syscall.ParseSocketControlMessage(oob[:max(oobn, 0)])
	if parseErr == nil {
		for _, m := range messages {
			if fds, err := syscall.ParseUnixRights(&m); err == nil {
				r.fresh = append(r.fresh, fds...)
			}
		}
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err // n is -1 with an error
}

// sort keeps the descriptors of the message that is being read, or closes them.
func (r *fileReader) sort(keep bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if keep {
		r.replies = append(r.replies, r.fresh...)
	} else {
		closeAll(r.fresh)
	}
	r.fresh = nil
}

// first returns the first descriptor that came with a reply, -1 if there is none. It closes the
// others.
func (r *fileReader) first() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd := -1
	if len(r.replies) > 0 {
		fd = r.replies[0]
		closeAll(r.replies[1:])
	}
	r.replies = nil
	return fd
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd)
	}
}

// CallForFile calls a method that returns an open file. It uses a connection of its own for the
// call.
func CallForFile(ctx context.Context, address, name string, path dbus.ObjectPath, method string, args ...any) (*os.File, error) {
	c, err := open(ctx, address, true)
	if err != nil {
		return nil, err
	}
	err = c.Object(name, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...).Err
	_ = c.Close()
	fd := c.hub.files.first()
	if err == nil && fd < 0 {
		err = errors.New(method + " gave no file")
	}
	if err != nil {
		if fd >= 0 {
			_ = syscall.Close(fd)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), method), nil
}
