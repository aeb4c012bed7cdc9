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
	"runtime"
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

// handing is what the report and the status have of handovers.
type handing struct {
	underWay bool
	failure  string // why the last attempt failed; "": it did not
	failedAt time.Time
}

// text is the same in the status.
func (h handing) text() string {
	switch {
	case h.underWay:
		return "a new process is to take over"
	case h.failure != "":
		return "not handed over to a new process: " + h.failure
	}
	return ""
}

// handOver starts a successor, unless one is on its way. While the file is being read it waits:
// the successor is to read the same.
func (w *worker) handOver() {
	if w.successor != nil {
		return
	}
	if w.handOverDue = w.reloading; w.handOverDue {
		return
	}
	s, err := w.startSuccessor()
	if err != nil {
		w.handOverFailed(err)
		return
	}
	w.log.Info("another process is to take over", "pid", s.process.Pid)
	w.successor = s
	w.setHanding(func(h *handing) { h.underWay, h.failure = true, "" })
	w.publish()
}

// beginAgain ends an attempt that began with another file than is about to be in force, and
// has it made anew.
func (w *worker) beginAgain() {
	if w.successor != nil {
		w.successor.end()
		w.successor, w.handOverDue = nil, true
	}
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
	w.setHanding(func(h *handing) { *h = handing{failure: text.OneLine(err.Error()), failedAt: time.Now()} })
	w.publish()
}

func (w *worker) setHanding(f func(*handing)) {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	f(&w.handing)
}

// handOverText is what the status has of handovers.
func (w *worker) handOverText() string {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	return w.handing.text()
}

func (w *worker) startSuccessor() (*successor, error) {
	if !w.managed {
		return nil, errors.New("there is no service manager that would take another process for this one")
	}
	if s := w.pool.Status(); s.Up == 0 {
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
	passed, err := w.passed()
	defer passed.close()
	if err != nil {
		ours.Close()
		return nil, err
	}
	process, err := startSibling(program, passed.environment(), append(passed.files, theirs))
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	s := &successor{process: process, conn: ours, news: make(chan error, 1)}
	go func() { s.news <- s.awaitReady() }()
	return s, nil
}

// startSibling starts a program with these files from firstFD on. Its end is the service
// manager's to see, not ours. Unlike [os.StartProcess] it leaves the sockets as they are: that
// makes them blocking, for us too, and then nothing ends an accept but somebody who connects.
func startSibling(program string, env []string, files []*os.File) (*os.Process, error) {
	fds := []uintptr{0, 1, 2}
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := raw.Control(func(fd uintptr) { fds = append(fds, fd) }); err != nil {
			return nil, err
		}
	}
	pid, err := syscall.ForkExec(program, os.Args, &syscall.ProcAttr{Env: env, Files: fds, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_PARENT}})
	runtime.KeepAlive(files)
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
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

// passedSockets is what a successor gets of ours.
type passedSockets struct {
	files []*os.File
	names []string
}

// passed is a copy of each listening socket.
func (w *worker) passed() (p passedSockets, err error) {
	forwards, err := w.set.Files()
	if err != nil {
		return p, err
	}
	p.add(fdPrefix, forwards)
	report, err := w.reports.files()
	if err != nil {
		return p, err
	}
	p.add(reportName, report)
	return p, nil
}

func (p *passedSockets) add(name string, files []*os.File) {
	for _, f := range files {
		p.files, p.names = append(p.files, f), append(p.names, name)
	}
}

func (p *passedSockets) close() {
	for _, f := range p.files {
		f.Close()
	}
}

// environment is that of our own start, with these sockets.
func (p *passedSockets) environment() []string {
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
	n := len(p.files)
	return append(env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_FDNAMES="+strings.Join(p.names, ":"), handOverVariable+"="+strconv.Itoa(firstFD+n))
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
	w.setHanding(func(h *handing) { *h = handing{} })
	w.publish() // the last words: the new main process has its own
	w.handedOver.Store(true)
	w.pool.Each((*keeper.Keeper).Suspend)
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	if err := w.set.HandOver(ctx); err != nil {
		w.log.Warn("handed over all the same", "error", err)
	}
	cancel()
	w.reports.leave()
	w.notify.mainPID(w.successor.process.Pid)
	_, err := io.WriteString(w.successor.conn, lineYours+"\n")
	w.log.Info("handed over; what is open here may end by itself", "pid", w.successor.process.Pid, "limit", text.Span(keeper.DrainTimeout), "error", err)
	w.drain(w.successor.gone(), endKeepers)
	hooks, stop := context.WithTimeout(context.Background(), hookGrace)
	defer stop()
	w.hooks.close(hooks)
}

// drain waits for what is open, as long as for a connection that was replaced, and then for the
// process that handed over to us: it takes our end for the tunnel's. Being asked to stop, or the
// end of the successor, leaves the time that a tunnel has which is stopped; being asked again, none.
func (w *worker) drain(gone <-chan struct{}, endKeepers func()) {
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
	endKeepers()
	select {
	case <-w.predecessor.over():
	case <-ctx.Done():
	}
}
