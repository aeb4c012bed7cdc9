package forward

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// port is one local listening socket, with an accept loop while it is open. Its owner may change while
// it listens. Without an owner it resets new connections.
type port struct {
	listener  net.Listener
	inherited bool        // it came from the service manager
	stored    string      // its name in the service manager's store; empty if it is not there
	socket    os.FileInfo // of a unix socket that this process made; nil for others
	owner     atomic.Pointer[forward]
	closing   atomic.Bool
}

// accept hands connections to the owner until the port is closed.
func (p *port) accept(s *Set) {
	<-s.serving
	var failure atomic.Pointer[error]
	failing := paced{every: acceptComplaint, tell: func(n int) {
		s.log.Warn("cannot accept", "listener", p.listener.Addr(), "error", *failure.Load(), "tries", n)
	}}
	for {
		conn, err := p.listener.Accept()
		switch {
		case err == nil:
			if f := p.owner.Load(); f != nil {
				s.arrive(f, conn)
			} else {
				reset(conn)
			}
		case p.closing.Load() || closed(err):
			return
		default:
			// No descriptors or memory left. Meanwhile the connection waits in the kernel.
			failure.Store(&err)
			failing.add()
			time.Sleep(acceptPause)
		}
	}
}

// acceptPause is the wait after an accept that failed for want of descriptors or memory.
const acceptPause = 100 * time.Millisecond

// acceptComplaint is how often the log says that connections cannot be accepted.
const acceptComplaint = time.Minute

// close closes the socket. It removes the path of a unix socket if this process made it, if the path is
// still that socket, and if the service manager does not store it.
func (p *port) close() {
	if p.socket != nil && p.stored == "" {
		path := p.listener.Addr().String()
		if now, err := os.Lstat(path); err == nil && os.SameFile(now, p.socket) {
			os.Remove(path)
		}
	}
	p.release()
}

// release closes this process's copy of the socket. Another process has its own copy.
func (p *port) release() {
	p.closing.Store(true)
	p.listener.Close()
}

// storeName is the socket's name in the service manager's store, made from the listener's address. It
// has only characters that sd_pid_notify_with_fds(3) allows.
func (p *port) storeName() string {
	h := fnv.New64a()
	h.Write([]byte(p.listener.Addr().Network() + " " + p.listener.Addr().String()))
	return fmt.Sprintf("holdfast-%016x", h.Sum64())
}
