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

// predecessor is the process that hands its tunnel over to this one, see
// [tunnelfile.SignalHandOver].
type predecessor struct {
	conn   net.Conn    // nil if there is no predecessor
	lines  chan string // cap 1: the one line that it sends; empty if it ended without one
	serves atomic.Bool // it still serves the tunnel, and we do not yet
	drains atomic.Bool // its process still runs, so connections may be open in it
	once   sync.Once
	broken chan error    // cap 1: the error that ends the loop, because it ended without handing over
	exited chan struct{} // closed when its process has ended, so that nothing is open in it any more
}

// takePredecessor returns the process that started this one to take over, if one did.
func takePredecessor() (*predecessor, error) {
	value, ok := os.LookupEnv(handOverVariable)
	os.Unsetenv(handOverVariable)
	p := &predecessor{lines: make(chan string, 1), broken: make(chan error, 1), exited: make(chan struct{})}
	if !ok {
		close(p.exited)
		return p, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd < firstFD {
		return nil, errors.New(handOverVariable + " is no file descriptor")
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	if p.conn, err = net.FileConn(f); err != nil {
		return nil, err
	}
	p.serves.Store(true)
	p.drains.Store(true)
	return p, nil
}

// listen reads from the predecessor in a goroutine of its own, and calls gone when that process
// has ended.
func (p *predecessor) listen(gone func()) {
	r := bufio.NewReader(io.LimitReader(p.conn, 4<<10))
	line, _ := r.ReadString('\n')
	p.lines <- line
	r.ReadString('\n')
	p.drains.Store(false)
	close(p.exited)
	gone()
}

// present says whether there is, or was, a predecessor.
func (p *predecessor) present() bool { return p.conn != nil }

// serving says whether the predecessor still serves the tunnel.
func (p *predecessor) serving() bool { return p.serves.Load() }

// draining says whether connections may be open in the predecessor.
func (p *predecessor) draining() bool { return p.drains.Load() }

// tellFailed tells the predecessor why this process cannot take over.
func (p *predecessor) tellFailed(err error) {
	if p.serving() {
		io.WriteString(p.conn, lineFailed+text.BoundBytes(text.OneLine(err.Error()), maxStatus)+"\n")
	}
}

// takeOver asks the predecessor to hand over. The keeper calls it when there is an SSH
// connection. Everything that only one process may do begins here.
func (w *worker) takeOver(ctx context.Context) error {
	if !w.predecessor.serving() {
		return nil
	}
	p := w.predecessor
	p.once.Do(func() { io.WriteString(p.conn, lineReady+"\n") })
	select {
	case line := <-p.lines:
		if line != lineYours+"\n" {
			// If the predecessor died, the unit ends with it. If it sent our MAINPID= before, the
			// service manager sees our end and restarts the unit.
			p.broken <- errors.New("the process before us ended without handing over")
			<-ctx.Done()
			return ctx.Err()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	w.log.Info("took over")
	w.set.Serve()
	p.serves.Store(false)
	w.notify.muted.Store(false)
	w.wake()
	return nil
}
