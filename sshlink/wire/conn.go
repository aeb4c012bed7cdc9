package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/socketio"
)

// fullBuffer is the size of x/crypto's bufio.Writer, in bytes. A longer packet is written as one
// chunk of this size, and the rest.
const fullBuffer = 4096

// Conn is the connection under the SSH transport. It records when data was received and since when
// a reply is due. It reads ahead, joins the two writes of a long packet, and makes the kernel
// acknowledge quickly. It takes no lock and allocates nothing for a packet, because x/crypto reads
// from one goroutine and writes under one lock.
type Conn struct {
	net.Conn

	lastReceived atomic.Int64 // Unix nanoseconds
	unanswered   atomic.Int64 // Unix nanoseconds; 0: no reply is due
	busy         chan struct{}

	closing sync.Once
	closed  chan struct{} // closed when the connection cannot be used any more
	failure atomic.Pointer[error]

	tcp    *net.TCPConn
	raw    syscall.RawConn
	reader io.Reader   // Conn, or a readAhead of it
	writer io.Writer   // Conn, or a socketio.Socket of it
	wrote  atomic.Bool // since the last TCP_QUICKACK

	// Batching. All except batch belong to the writer.
	batch   atomic.Bool
	pending []byte      // a chunk whose packet goes on in the next write
	vec     [2][]byte   // backs bufs
	bufs    net.Buffers // a field, so that WriteTo does not make it escape each time

	// The first bytes received, for messages: sshd says there why it closes at once.
	greetingDone atomic.Bool
	greetingMu   sync.Mutex
	greeting     []byte
}

// greetingLimit is how many bytes of a server's greeting are kept.
const greetingLimit = 512

// NewConn watches a connection.
func NewConn(c net.Conn) *Conn {
	w := &Conn{Conn: c, reader: c, writer: c, busy: make(chan struct{}, 1), closed: make(chan struct{})}
	w.lastReceived.Store(time.Now().UnixNano())
	if tcp, ok := c.(*net.TCPConn); ok {
		w.tcp = tcp
		w.pending = make([]byte, 0, fullBuffer)
		if raw, err := tcp.SyscallConn(); err == nil {
			w.raw = raw
			w.writer = socketio.New(tcp)
			w.reader = newReadAhead(raw, w.NoteAnswer, w.quickAck)
		}
	}
	return w
}

// quickAck is called when the socket has nothing more to read. The kernel may return to delayed
// acknowledgements, above all after a write. With Nagle's algorithm on the other side that cost 40
// ms. A bulk stream needs TCP_QUICKACK (tcp(7)) only after writes.
func (c *Conn) quickAck(fd uintptr, few bool) {
	if c.wrote.Swap(false) || few {
		socketio.QuickAck(fd)
	}
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	if n > 0 && c.raw == nil { // readAhead notes it itself
		c.NoteAnswer()
	}
	if n > 0 && !c.greetingDone.Load() {
		c.keepGreeting(p[:n])
	}
	if err != nil {
		c.Fail(err)
	}
	return n, err
}

func (c *Conn) keepGreeting(p []byte) {
	c.greetingMu.Lock()
	defer c.greetingMu.Unlock()
	if room := greetingLimit - len(c.greeting); room > 0 {
		c.greeting = append(c.greeting, p[:min(room, len(p))]...)
	}
}

// Greeting is the first text that the server sent.
func (c *Conn) Greeting() string {
	c.greetingMu.Lock()
	defer c.greetingMu.Unlock()
	return string(c.greeting)
}

func (c *Conn) Write(p []byte) (int, error) {
	c.NoteQuestion()
	c.wrote.Store(true)
	if len(p) == fullBuffer && c.batch.Load() && len(c.pending) == 0 {
		// With an AEAD cipher no packet is 4096 bytes long on the wire: its length is 4 more than a
		// multiple of 8. So this is the first part of a longer packet.
		c.pending = append(c.pending[:0], p...)
		return len(p), nil
	}
	if len(c.pending) == 0 {
		n, err := c.writer.Write(p)
		if err != nil {
			c.Fail(err)
		}
		return n, err
	}
	c.vec[0], c.vec[1] = c.pending, p
	c.bufs = c.vec[:]
	n, err := c.bufs.WriteTo(c.tcp)
	written := max(0, int(n)-len(c.pending))
	c.pending = c.pending[:0]
	c.vec[1] = nil
	if err != nil {
		c.Fail(err)
	}
	return written, err
}

// NoteAnswer records that data was received.
func (c *Conn) NoteAnswer() {
	c.lastReceived.Store(time.Now().UnixNano())
	if c.unanswered.Load() != 0 {
		c.unanswered.Store(0)
	}
}

// NoteQuestion records that a reply is due from now on, unless one is due already. Its token in
// busy wakes the goroutine that watches for a stall.
func (c *Conn) NoteQuestion() {
	if c.unanswered.Load() != 0 || !c.unanswered.CompareAndSwap(0, time.Now().UnixNano()) {
		return
	}
	select {
	case c.busy <- struct{}{}:
	default:
	}
}

// EndGreeting ends the recording of the greeting.
func (c *Conn) EndGreeting() { c.greetingDone.Store(true) }

// Closed is closed when the connection cannot be used any more.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// StartBatching starts to join writes. It is called after the cipher is agreed, if the cipher
// allows it.
func (c *Conn) StartBatching() {
	if c.tcp != nil {
		c.batch.Store(true)
	}
}

// Batching says whether the two writes of a long packet are joined.
func (c *Conn) Batching() bool { return c.batch.Load() }

// Fail records the first reason why the connection cannot be used any more. net.ErrClosed alone is
// no reason: whoever closed the connection knows why, and records that.
func (c *Conn) Fail(err error) {
	if errors.Is(err, net.ErrClosed) && err != errEnded {
		return
	}
	c.closing.Do(func() {
		c.failure.Store(&err)
		close(c.closed)
	})
}

// Close closes the connection at once. It records no reason, because x/crypto calls it before it
// says why the protocol failed. See End.
func (c *Conn) Close() error { return c.Conn.Close() }

// errEnded is the reason of a connection that End closed.
var errEnded = fmt.Errorf("not wanted any more: %w", net.ErrClosed)

// End closes a connection that is not wanted any more, and records that.
func (c *Conn) End() error {
	c.Fail(errEnded)
	return c.Conn.Close()
}

// Err is why the connection ended, nil while it has not.
func (c *Conn) Err() error {
	if p := c.failure.Load(); p != nil {
		return *p
	}
	return nil
}
