package forward

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/holdfast/holdfast/internal/socketio"
)

// Sizes of the copy buffers, in bytes. Each direction of a connection starts with a small buffer. While
// its reads fill that, it has a large one. So a thousand idle connections need at most 8 MB, not 256.
const (
	smallBuffer = 4 << 10
	largeBuffer = 128 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// relay carries one connection: it copies bytes both ways between a local socket and a channel of a link, and
// passes a half-close on.
type relay struct {
	forward *forward
	lane    *lane
	local   net.Conn
	socket  *socketio.Socket // reads and writes local
	channel net.Conn
	cut     atomic.Bool

	moved  atomic.Int64 // bytes both ways
	weight weight       // for Set.sampler

	fromLocal   []byte // was read from local before; goes into the channel first
	fromChannel []byte // was read from the channel before; goes to local first
}

// run copies until both directions have ended, and closes both ends. It uses one goroutine besides its
// caller's.
func (r *relay) run() {
	defer r.lane.remove(r)
	if !r.lane.add(r) {
		r.abort()
		r.channel.Close()
		return
	}
	r.socket = socketio.New(r.local)
	r.forward.open.Add(1)
	r.forward.total.Add(1)
	ended := make(chan struct{})
	go func() {
		r.receive()
		close(ended)
	}()
	r.send()
	<-ended
	// Close the socket first: on a dead link, closing the channel waits until the link is closed.
	r.local.Close()
	r.channel.Close()
	r.forward.open.Add(-1)
}

// send copies from the socket into the channel.
func (r *relay) send() {
	readErr, writeErr := r.pump(r.channel, r.socket, r.fromLocal, &r.forward.sent)
	switch {
	case writeErr != nil:
		// The server closed the channel. Data that it sent before must still be received.
	case readErr == io.EOF:
		closeWrite(r.channel)
	default:
		r.abort()
		r.channel.Close()
	}
}

// receive copies from the channel to the socket.
func (r *relay) receive() {
	readErr, writeErr := r.pump(r.socket, r.channel, r.fromChannel, &r.forward.received)
	switch {
	case writeErr != nil:
		r.abort()
		r.channel.Close()
	case readErr == io.EOF && r.lane.alive():
		closeWrite(r.local)
	default:
		// The rest of the stream is lost. After a clean end the client would take it for complete.
		r.abort()
	}
}

// abort resets the socket. Both directions end as soon as the channel has ended too. abort may be called
// from any goroutine and does not wait.
func (r *relay) abort() {
	if !r.cut.Swap(true) {
		reset(r.local)
	}
}

// pump writes head to dst, and then copies from src, until a read or a write fails. It returns the error
// of the side that failed; a readErr of io.EOF is the end of src. count counts the bytes.
func (r *relay) pump(dst io.Writer, src io.Reader, head []byte, count *atomic.Uint64) (readErr, writeErr error) {
	if len(head) > 0 {
		if _, err := dst.Write(head); err != nil {
			return nil, err
		}
		count.Add(uint64(len(head)))
		r.note(len(head))
	}
	if src, ok := src.(nexter); ok {
		if readErr, writeErr = r.passOn(dst, src, count); readErr != errors.ErrUnsupported {
			return readErr, writeErr
		}
	}
	small := smallBuffers.Get().(*[smallBuffer]byte)
	defer smallBuffers.Put(small)
	var large *[largeBuffer]byte
	defer func() {
		if large != nil {
			largeBuffers.Put(large)
		}
	}()
	splice := r.splicing(dst)
	for {
		var n int
		var err error
		if large != nil && splice != nil {
			n, err, writeErr = splice()
			if err == errors.ErrUnsupported {
				splice = nil
				continue
			}
		} else {
			buf := small[:]
			if large != nil {
				buf = large[:]
			}
			if n, err = src.Read(buf); n > 0 {
				_, writeErr = dst.Write(buf[:n])
			}
		}
		if writeErr != nil {
			return nil, writeErr
		}
		count.Add(uint64(n))
		r.note(n)
		switch {
		case err != nil:
			return err, nil
		case large == nil && n == smallBuffer:
			large = largeBuffers.Get().(*[largeBuffer]byte)
		case large != nil && n < smallBuffer:
			largeBuffers.Put(large)
			large = nil
		}
	}
}

// nexter is an optional part of a channel: Next returns received data without copying it.
type nexter interface {
	Next(into net.Buffers) (net.Buffers, error)
}

// passOn is pump for a nexter.
func (r *relay) passOn(dst io.Writer, src nexter, count *atomic.Uint64) (readErr, writeErr error) {
	room := make(net.Buffers, 0, 16)
	socket, isSocket := dst.(*socketio.Socket)
	for {
		pieces, err := src.Next(room)
		if err != nil {
			return err, nil
		}
		var n int64
		if isSocket {
			n, err = socket.WriteBuffers(pieces)
		} else {
			n, err = pieces.WriteTo(dst)
		}
		count.Add(uint64(n))
		r.note(int(n))
		if err != nil {
			return nil, err
		}
	}
}

// splicing returns a function that moves bytes within the kernel, to the channel if dst is that, or from it;
// nil if that is not possible.
func (r *relay) splicing(dst io.Writer) func() (n int, readErr, writeErr error) {
	channel, ok := r.channel.(Splicer)
	socket, isSocket := r.local.(syscall.Conn)
	switch {
	case !ok || !isSocket:
		return nil
	case dst == r.channel:
		return func() (int, error, error) { return channel.SpliceFrom(socket) }
	}
	return func() (int, error, error) { return channel.SpliceTo(socket) }
}

// closeWrite passes a half-close on, if c supports it.
func closeWrite(c net.Conn) {
	if c, ok := c.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

// reset closes c. The peer of a TCP socket sees a reset and not a clean end; other sockets have no reset.
func reset(c net.Conn) {
	if c, ok := c.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	c.Close()
}

// closed says whether a listener ended because it was closed.
func closed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF)
}
