package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/worker/keeper"
)

// A handover, see [tunnelfile.SignalHandOver]: two processes speak over a socket, in lines.
//
//	new: ready           it has an SSH connection
//	old: yours           it has stopped accepting, and the server has let go of its remote
//	                     forwards; the service manager has been told of the new main process
//	new: failed REASON   it does not get there, and ends
//
// Until "yours" the old process serves, as if nothing had happened; what was accepted before
// drains in it. Whoever sees the other's end of the socket closed before that ends the attempt.
const (
	lineReady  = "ready"
	lineYours  = "yours"
	lineFailed = "failed "
)

// handOverVariable tells the new process which file descriptor is the socket.
const handOverVariable = "HOLDFAST_HANDOVER"

// Times of a handover.
const (
	handOverLimit = time.Minute     // for the new process to have its SSH connection
	releaseLimit  = 5 * time.Second // for the server to let go of the remote forwards
)

// errHandedOver ends the loop of a process whose successor is ready.
var errHandedOver = errors.New("another process takes over")

// environment is that of the start, from before we hid what only we are to see.
var environment = os.Environ()

// successor is the process that is to take the tunnel over.
type successor struct {
	process *os.Process
	conn    net.Conn
	news    chan error // cap 1: nil: it is ready; else why it does not get there
}

// handOver starts a successor, unless one is on its way.
func (w *worker) handOver() {
	if w.successor != nil {
		return
	}
	w.handOverNote("")
	s, err := w.startSuccessor()
	if err != nil {
		w.handOverFailed(err)
		return
	}
	w.log.Info("another process is to take over", "pid", s.process.Pid)
	w.successor = s
}

// successorNews receives how the successor does; nil while there is none.
func (w *worker) successorNews() <-chan error {
	if w.successor == nil {
		return nil
	}
	return w.successor.news
}

// handOverFailed goes on as before, and says why.
func (w *worker) handOverFailed(err error) {
	if w.successor != nil {
		w.successor.end()
		w.successor = nil
	}
	w.log.Error("the tunnel was not handed over, and goes on with the program it has", "error", err)
	w.handOverNote(text.OneLine(err.Error()))
	w.publish()
}

// handOverNote is what the report has of the last attempt.
func (w *worker) handOverNote(why string) {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	w.notHandedOver = why
}

// handOverText is the same in the status.
func (w *worker) handOverText() string {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	if w.notHandedOver == "" {
		return ""
	}
	return "not handed over to a new process: " + w.notHandedOver
}

func (w *worker) startSuccessor() (*successor, error) {
	if !w.managed {
		return nil, errors.New("there is no service manager that would take another process for this one")
	}
	if s := w.pool.status(); s.up == 0 {
		return nil, errors.New("there is no SSH connection to hand over")
	}
	program, err := exec.LookPath(os.Args[0])
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	listeners, err := w.set.Files()
	if err != nil {
		ours.Close()
		return nil, err
	}
	files := append([]*os.File{os.Stdin, os.Stdout, os.Stderr}, listeners...)
	defer func() {
		for _, f := range listeners {
			f.Close()
		}
	}()
	process, err := os.StartProcess(program, os.Args, &os.ProcAttr{
		Env: successorEnvironment(len(listeners)), Files: append(files, theirs),
		// A sibling: its end is the service manager's to see, not ours.
		Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_PARENT},
	})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	s := &successor{process: process, conn: ours, news: make(chan error, 1)}
	go func() { s.news <- s.awaitReady() }()
	return s, nil
}

// socketPair is two ends of a stream socket, theirs to be inherited.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	own := os.NewFile(uintptr(fds[0]), "handover")
	defer own.Close()
	theirs = os.NewFile(uintptr(fds[1]), "handover")
	if ours, err = net.FileConn(own); err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// successorEnvironment is our own at our start, with so many listeners.
func successorEnvironment(listeners int) []string {
	var env []string
	for _, line := range environment {
		name, _, _ := strings.Cut(line, "=")
		switch name {
		case "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID", "MAINPID", "MAINPIDFDID", handOverVariable:
		default:
			env = append(env, line)
		}
	}
	// Its process ID is not known before it runs: the variable for the socket stands in for LISTEN_PID.
	return append(env, "LISTEN_FDS="+strconv.Itoa(listeners), handOverVariable+"="+strconv.Itoa(firstFD+listeners))
}

// awaitReady returns nil when the successor has its SSH connection.
func (s *successor) awaitReady() error {
	s.conn.SetReadDeadline(time.Now().Add(handOverLimit))
	line, err := bufio.NewReader(io.LimitReader(s.conn, 4<<10)).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	switch why, failed := strings.CutPrefix(line, lineFailed); {
	case failed:
		return fmt.Errorf("the new program: %s", text.FromPeer(why))
	case line == lineReady:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the new program had no SSH connection within %s", text.Span(handOverLimit))
	}
	return errors.New("the new program ended before it had an SSH connection")
}

// end is for a successor that is not to be one: it sees the socket closed, and goes.
func (s *successor) end() {
	s.conn.Close()
	s.process.Kill()
	s.process.Release()
}

// gone is closed when the successor has ended.
func (s *successor) gone() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		s.conn.SetReadDeadline(time.Time{})
		io.Copy(io.Discard, s.conn)
		close(gone)
	}()
	return gone
}

// yield lets the successor have the tunnel, and what is open here drain.
func (w *worker) yield(endKeepers func()) {
	w.handedOver.Store(true)
	w.pool.each((*keeper.Keeper).Suspend)
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	if err := w.set.HandOver(ctx); err != nil {
		w.log.Warn("handed over all the same", "error", err)
	}
	cancel()
	w.socket.leave()
	w.notify.mainPID(w.successor.process.Pid)
	_, err := io.WriteString(w.successor.conn, lineYours+"\n")
	w.log.Info("handed over; what is open here may end by itself", "pid", w.successor.process.Pid, "limit", text.Span(keeper.DrainTimeout), "error", err)
	w.drain(w.successor.gone())
	endKeepers()
	hooks, stop := context.WithTimeout(context.Background(), hookGrace)
	defer stop()
	w.hooks.close(hooks)
}

// drain waits for what is open, as long as for a connection that was replaced. Being asked to
// stop, or the end of the successor, leaves it the time that a tunnel has which is stopped; being
// asked again, none.
func (w *worker) drain(gone <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), keeper.DrainTimeout)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		asked := false
		for {
			select {
			case <-gone:
				gone = nil
				time.AfterFunc(drainTime(w.inForce.Load().tunnel), cancel)
			case s := <-w.o.Signals:
				switch {
				case s != syscall.SIGTERM && s != syscall.SIGINT:
				case asked:
					w.o.Fatal("asked to stop again, ending at once")
				default:
					asked = true
					time.AfterFunc(drainTime(w.inForce.Load().tunnel), cancel)
				}
			case <-done:
				return
			}
		}
	}()
	if err := w.set.Close(ctx); err != nil {
		w.log.Info("connections were cut that did not end in time")
	}
}
