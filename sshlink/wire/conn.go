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

	"golang.org/x/sys/unix"
)

// fullBuffer is how much x/crypto's bufio.Writer holds: a packet that is longer is written
// as one chunk of this size and the rest.
const fullBuffer = 4096

// Conn is the connection under the SSH transport. It notes when something was heard and
// when an answer is due, reads ahead, puts the two writes of a long packet into one, and keeps
// the kernel acknowledging quickly. It takes no lock and allocates nothing for a packet:
// x/crypto reads from one goroutine and writes under one lock.
type Conn struct {
	net.Conn

	lastReceived atomic.Int64 // Unix nanoseconds
	unanswered   atomic.Int64 // Unix nanoseconds; 0: nothing is
	busy         chan struct{}

	closing sync.Once
	closed  chan struct{} // closed when the connection is of no more use
	failure atomic.Pointer[error]

	tcp    *net.TCPConn
	raw    syscall.RawConn
	reader io.Reader   // Conn, or what reads ahead of it
	wrote  atomic.Bool // since the kernel was told to acknowledge quickly

	// Batching. All but the switch belong to the writer.
	batch   atomic.Bool
	pending []byte      // a chunk that the rest of its packet is about to follow
	vec     [2][]byte   // backs bufs
	bufs    net.Buffers // a field, so that WriteTo does not make it escape each time

	// The first bytes heard, for messages: sshd says there why it closes at once.
	greetingDone atomic.Bool
	greetingMu   sync.Mutex
	greeting     []byte
}

// greetingLimit bounds what is kept of what a server says before its version.
const greetingLimit = 512

// NewConn watches a connection.
func NewConn(c net.Conn) *Conn {
	w := &Conn{Conn: c, reader: c, busy: make(chan struct{}, 1), closed: make(chan struct{})}
	w.lastReceived.Store(time.Now().UnixNano())
	if tcp, ok := c.(*net.TCPConn); ok {
		w.tcp = tcp
		w.pending = make([]byte, 0, fullBuffer)
		if raw, err := tcp.SyscallConn(); err == nil {
			w.raw = raw
			w.reader = newReadAhead(raw, w.NoteAnswer, w.quickAck)
		}
	}
	return w
}

// quickAck is for a socket that was emptied: the kernel may fall back to delayed acknowledgements,
// above all after a write, which with Nagle's algorithm over there cost 40 ms. A stream that comes
// in bulk needs it only after writes.
func (c *Conn) quickAck(fd uintptr, few bool) {
	if c.wrote.Swap(false) || few {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	}
}

func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	if n > 0 && c.raw == nil { // what reads ahead notes it itself
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

// Greeting is the first that the server said.
func (c *Conn) Greeting() string {
	c.greetingMu.Lock()
	defer c.greetingMu.Unlock()
	return string(c.greeting)
}

func (c *Conn) Write(p []byte) (int, error) {
	c.NoteQuestion()
	c.wrote.Store(true)
	if len(p) == fullBuffer && c.batch.Load() && len(c.pending) == 0 {
		// With an AEAD cipher no packet is 4096 bytes long on the wire (its length is 4
		// more than a multiple of 8), so this is the first part of a longer one.
		c.pending = append(c.pending[:0], p...)
		return len(p), nil
	}
	if len(c.pending) == 0 {
		n, err := c.Conn.Write(p)
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

// NoteAnswer notes that something was heard.
func (c *Conn) NoteAnswer() {
	c.lastReceived.Store(time.Now().UnixNano())
	if c.unanswered.Load() != 0 {
		c.unanswered.Store(0)
	}
}

// NoteQuestion starts the time that an answer is waited for, and tells who watches for a
// stall that the silence is over.
func (c *Conn) NoteQuestion() {
	if c.unanswered.Load() != 0 || !c.unanswered.CompareAndSwap(0, time.Now().UnixNano()) {
		return
	}
	select {
	case c.busy <- struct{}{}:
	default:
	}
}

// EndGreeting says that the server has greeted, and that no more of it need be kept.
func (c *Conn) EndGreeting() { c.greetingDone.Store(true) }

// Closed is closed when the connection is of no more use.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// StartBatching is called once the cipher is agreed, if it is one that allows it.
func (c *Conn) StartBatching() {
	if c.tcp != nil {
		c.batch.Store(true)
	}
}

// Batching says whether the two writes of a long packet are put into one.
func (c *Conn) Batching() bool { return c.batch.Load() }

// Fail notes the first reason why the connection is of no more use. That somebody here has closed
// it is none: who did knows why, and says so.
func (c *Conn) Fail(err error) {
	if errors.Is(err, net.ErrClosed) && err != errEnded {
		return
	}
	c.closing.Do(func() {
		c.failure.Store(&err)
		close(c.closed)
	})
}

// Close closes the connection at once. x/crypto calls it before it says why the protocol failed,
// so that it tells no reason; see End.
func (c *Conn) Close() error { return c.Conn.Close() }

// errEnded is the reason of a connection that is not wanted any more.
var errEnded = fmt.Errorf("not wanted any more: %w", net.ErrClosed)

// End closes a connection that is not wanted any more.
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
