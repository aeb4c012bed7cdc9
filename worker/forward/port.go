package forward

import (
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// port is one listening socket here, with an accept loop for as long as it is open.
// Its owner may change while it listens; without one it resets what connects.
type port struct {
	listener  net.Listener
	inherited bool        // the service manager's
	stored    string      // its name in the service manager's store; empty if it is not there
	socket    os.FileInfo // of the unix socket that was made here; nil for others
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
			// Out of descriptors or memory. The connection waits in the kernel meanwhile.
			failure.Store(&err)
			failing.add()
			time.Sleep(acceptPause)
		}
	}
}

// acceptPause is the wait after an accept that failed for want of something.
const acceptPause = 100 * time.Millisecond

// acceptComplaint is how often the log says that nothing can be accepted.
const acceptComplaint = time.Minute

// close closes the socket, and removes it from the file system if it was made here,
// is still the same, and lives nowhere else.
func (p *port) close() {
	p.closing.Store(true)
	if p.socket != nil && p.stored == "" {
		path := p.listener.Addr().String()
		if now, err := os.Lstat(path); err == nil && os.SameFile(now, p.socket) {
			os.Remove(path)
		}
	}
	p.listener.Close()
}

// storeName is the socket's name in the service manager's store: of the listener's
// address, in letters that sd_pid_notify_with_fds(3) allows.
func (p *port) storeName() string {
	h := fnv.New64a()
	h.Write([]byte(p.listener.Addr().Network() + " " + p.listener.Addr().String()))
	return fmt.Sprintf("holdfast-%016x", h.Sum64())
}
