package wire

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/socketio"
)

// aheadSize is how many bytes are read beyond what x/crypto asks for. Its bufio.Reader has 4 KiB,
// which would take two system calls for each packet.
const aheadSize = 512 << 10

// fewBytes is less than what one read returns of a stream that has much to send.
const fewBytes = 32 << 10

var aheadBuffers = sync.Pool{New: func() any { return new([aheadSize]byte) }}

// readAhead reads from a socket as much as is there. The requested bytes go to the caller without
// another copy. The rest goes into a buffer, which readAhead has only while something is in it.
type readAhead struct {
	raw syscall.RawConn

	buffer *[aheadSize]byte // nil: nothing is in it
	rest   []byte           // the part of buffer that was not asked for yet

	last   int  // how many bytes the last read from the socket returned
	waited bool // the last read found nothing
	streak socketio.Streak

	// State of the current call.
	vec     [2][]byte
	n       int
	err     error
	attempt func(fd uintptr) bool      // tryRead
	heard   func()                     // called after each read from the socket that returned bytes
	drained func(fd uintptr, few bool) // called before waiting; few: the last read returned few bytes
}

func newReadAhead(raw syscall.RawConn, heard func(), drained func(fd uintptr, few bool)) *readAhead {
	a := &readAhead{raw: raw, heard: heard, drained: drained}
	a.attempt = a.tryRead
	return a
}

// Read is for one goroutine at a time.
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

// fill reads from the socket. It waits if the socket has nothing.
func (a *readAhead) fill(p []byte) (int, error) {
	// Let the goroutines that use what was read run first. By then there may be more to read, which
	// saves a wait, and what they send is sent sooner.
	runtime.Gosched()
	a.vec[0] = p
	err := socketio.NameOp("read", a.raw.Read(a.attempt))
	a.vec[0] = nil
	if err == nil && a.err != nil {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", a.err)}
	}
	a.last = a.n
	switch {
	case err != nil:
		a.release()
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

// tryRead makes one attempt to read. If the socket has nothing, it returns the buffer to the pool
// and returns false. The caller then waits for the socket.
func (a *readAhead) tryRead(fd uintptr) bool {
	if a.buffer == nil {
		a.buffer = aheadBuffers.Get().(*[aheadSize]byte)
	}
	a.vec[1] = a.buffer[:]
	announced := a.streak.Announce(a.waited) || a.last > socketio.Small
	a.n, a.err = socketio.Readv(fd, a.vec[0], a.vec[1], announced)
	if a.waited = a.err == unix.EAGAIN; !a.waited {
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
