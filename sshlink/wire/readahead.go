package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// aheadSize is how much is read besides what x/crypto asks for: its bufio.Reader has 4 KiB, which
// makes two system calls of each packet.
const aheadSize = 256 << 10

// fewBytes are fewer than come at once of a stream that has much to send.
const fewBytes = 32 << 10

var aheadBuffers = sync.Pool{New: func() any { return new([aheadSize]byte) }}

// readAhead reads from a socket as much as is there. What was asked for goes where it was asked
// for, without a copy, and the rest into a buffer, which it has only while something is in it.
type readAhead struct {
	raw syscall.RawConn

	buffer *[aheadSize]byte // nil: nothing is in it
	rest   []byte           // of buffer: what was not asked for yet

	last int // how many bytes the last read from the socket got

	// Of the call under way.
	vec     [2][]byte
	n       int
	err     error
	attempt func(fd uintptr) bool      // tryRead
	heard   func()                     // called after each read from the socket that got something
	drained func(fd uintptr, few bool) // called before it waits; few: little was read last
}

func newReadAhead(raw syscall.RawConn, heard func(), drained func(fd uintptr, few bool)) *readAhead {
	a := &readAhead{raw: raw, heard: heard, drained: drained}
	a.attempt = a.tryRead
	return a
}

// Read is for one goroutine.
func (a *readAhead) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(a.rest) == 0 {
		return a.fill(p)
	}
	n := copy(p, a.rest)
	if a.rest = a.rest[n:]; len(a.rest) == 0 {
		a.release()
	}
	return n, nil
}

// fill reads from the socket, and waits where it has nothing.
func (a *readAhead) fill(p []byte) (int, error) {
	// Those who have to do with what was read go first: by then there may be more to read, which
	// saves waiting for it, and what they send is sent sooner.
	runtime.Gosched()
	a.vec[0] = p
	err := a.raw.Read(a.attempt)
	a.vec[0] = nil
	if err == nil && a.err != nil {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", a.err)}
	}
	a.last = a.n
	switch {
	case err != nil:
		a.release()
		if op, ok := errors.AsType[*net.OpError](err); ok {
			op.Op = "read" // not "raw-read", which tells people nothing
		}
		return 0, err
	case a.n == 0:
		a.release()
		return 0, io.EOF
	}
	a.heard()
	if a.n <= len(p) {
		a.release()
		return a.n, nil
	}
	a.rest = a.buffer[:a.n-len(p)]
	return len(p), nil
}

// tryRead makes one attempt, and says whether it came to something. Where it did not, the socket is
// waited for, without a buffer.
func (a *readAhead) tryRead(fd uintptr) bool {
	if a.buffer == nil {
		a.buffer = aheadBuffers.Get().(*[aheadSize]byte)
	}
	a.vec[1] = a.buffer[:]
	for {
		a.n, a.err = unix.Readv(int(fd), a.vec[:])
		if a.err != unix.EINTR {
			break
		}
	}
	if a.err != unix.EAGAIN {
		return true
	}
	a.release()
	a.drained(fd, a.last < fewBytes)
	return false
}

func (a *readAhead) release() {
	if a.buffer != nil {
		aheadBuffers.Put(a.buffer)
	}
	a.buffer, a.rest, a.vec[1] = nil, nil, nil
}
