package worker

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/text"
)

// predecessor is the process that hands its tunnel over to this one; nil where none does. See
// [tunnelfile.SignalHandOver].
type predecessor struct {
	conn   net.Conn
	lines  chan string // what it says; closed with the connection
	waits  atomic.Bool // it serves the tunnel, and we do not
	drains atomic.Bool // it is there
	once   sync.Once
	ended  chan error    // cap 1: it does not hand over
	left   chan struct{} // closed when it is gone
}

// takePredecessor is who started us to take over.
func takePredecessor() (*predecessor, error) {
	value, ok := os.LookupEnv(handOverVariable)
	os.Unsetenv(handOverVariable)
	if !ok {
		return nil, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < firstFD {
		return nil, errors.New(handOverVariable + " is no file descriptor")
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	p := &predecessor{conn: conn, lines: make(chan string, 1), ended: make(chan error, 1), left: make(chan struct{})}
	p.waits.Store(true)
	p.drains.Store(true)
	return p, nil
}

// listen reads what the predecessor says, and calls gone when it is.
func (p *predecessor) listen(gone func()) {
	r := bufio.NewReader(io.LimitReader(p.conn, 4<<10))
	line, _ := r.ReadString('\n')
	p.lines <- line
	r.ReadString('\n')
	p.drains.Store(false)
	close(p.left)
	gone()
}

// serving says whether the predecessor serves the tunnel still.
func (p *predecessor) serving() bool { return p != nil && p.waits.Load() }

// draining says whether connections may be open in the predecessor.
func (p *predecessor) draining() bool { return p != nil && p.drains.Load() }

// over is closed when nothing is open in the predecessor any more.
func (p *predecessor) over() <-chan struct{} {
	if p == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	return p.left
}

// failed tells the predecessor why we do not get there.
func (p *predecessor) failed(err error) {
	if p.serving() {
		io.WriteString(p.conn, lineFailed+text.BoundBytes(text.OneLine(err.Error()), maxStatus)+"\n")
	}
}

// end is what the loop ends with if the predecessor does not hand over.
func (p *predecessor) end() <-chan error {
	if p == nil {
		return nil
	}
	return p.ended
}

// takeOver has the predecessor let go, once there is an SSH connection. Everything that one
// process alone may do begins here.
func (w *worker) takeOver(ctx context.Context) error {
	if !w.predecessor.serving() {
		return nil
	}
	p := w.predecessor
	p.once.Do(func() { io.WriteString(p.conn, lineReady+"\n") })
	select {
	case line := <-p.lines:
		if line != lineYours+"\n" {
			// It has died, and our unit with it; or it has told the service manager of us first,
			// which then sees us end and starts anew.
			p.ended <- errors.New("the process before us ended without handing over")
			<-ctx.Done()
			return ctx.Err()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	w.log.Info("took over")
	w.set.Serve()
	p.waits.Store(false)
	w.notify.speak()
	w.wake()
	return nil
}
