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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/worker/keeper"
)

// In a handover (see [tunnelfile.SignalHandOver]) two processes exchange lines over a socket.
//
//	new: ready           it has an SSH connection
//	old: yours           it has stopped accepting, and the server has freed its remote forwards;
//	                     the service manager knows the new main process
//	new: failed REASON   it cannot take over, and ends
//
// The old process serves the tunnel until it sends "yours". Connections that it accepted before
// drain in it. Either process ends the attempt if the other closes the socket before "yours".
const (
	lineReady  = "ready"
	lineYours  = "yours"
	lineFailed = "failed "
)

// handOverVariable is the environment variable with the socket's file descriptor, for the new
// process.
const handOverVariable = "HOLDFAST_HANDOVER"

// Time limits of a handover.
const (
	handOverLimit = time.Minute     // for the new process to have its SSH connection
	releaseLimit  = 5 * time.Second // for the server to free the remote forwards
)

// errHandedOver ends the loop of a process whose successor is ready.
var errHandedOver = errors.New("another process takes over")

// environment is the environment at the start of this process, before it removed its own variables.
var environment = os.Environ()

// successor is the process that will take the tunnel over.
type successor struct {
	process *os.Process
	conn    net.Conn
	news    chan error // cap 1; nil when it is ready, else why it cannot take over
}

// handOverStatus is what the report and the status say about handovers.
type handOverStatus struct {
	underWay bool
	failure  string // why the last attempt failed; "" if it did not
	failedAt time.Time
}

// text is the note in the status; "" if there is nothing to say.
func (h handOverStatus) text() string {
	switch {
	case h.underWay:
		return "a new process is to take over"
	case h.failure != "":
		return "not handed over to a new process: " + h.failure
	}
	return ""
}

// handOver starts a successor, unless there is one already. During a reload it waits until the
// file has been read, so that both processes have the same file.
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
	w.setHandOverStatus(func(h *handOverStatus) { h.underWay, h.failure = true, "" })
	w.publish()
}

// postponeHandOver ends a handover that began before a reload, and has it repeated after the reload:
// the successor may have read the old file.
func (w *worker) postponeHandOver() {
	if w.successor != nil {
		w.successor.end()
		w.successor, w.handOverDue = nil, true
	}
}

// successorNews is the successor's news channel; nil while there is no successor.
func (w *worker) successorNews() <-chan error {
	if w.successor == nil {
		return nil
	}
	return w.successor.news
}

// handOverFailed ends the successor and publishes why the handover failed. This process goes on
// serving the tunnel.
func (w *worker) handOverFailed(err error) {
	if w.successor != nil {
		w.successor.end()
		w.successor = nil
	}
	w.log.Error("the tunnel was not handed over, and goes on with the program it has", "error", err)
	w.setHandOverStatus(func(h *handOverStatus) { *h = handOverStatus{failure: text.OneLine(err.Error()), failedAt: time.Now()} })
	w.publish()
}

func (w *worker) setHandOverStatus(f func(*handOverStatus)) {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	f(&w.handOverStatus)
}

// handOverText is what the status says about handovers.
func (w *worker) handOverText() string {
	w.publishedMu.Lock()
	defer w.publishedMu.Unlock()
	return w.handOverStatus.text()
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
	files, names, err := w.passedSockets()
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := wire.SocketPair()
	if err != nil {
		return nil, err
	}
	files = append(files, theirs)
	process, err := startSibling(program, successorEnvironment(names), files)
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	s := &successor{process: process, conn: ours, news: make(chan error, 1)}
	go func() { s.news <- s.awaitReady() }()
	return s, nil
}

// startSibling starts a program that inherits these files, from firstFD on. The new process is a
// child of the service manager, not of this process (CLONE_PARENT of clone(2)).
//
// It does not use [os.StartProcess], because that makes the sockets blocking, in this process
// too. Then only a new connection would end a blocked accept.
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

// passedSockets copies each of our listening sockets for a successor. names are their names, as in
// LISTEN_FDNAMES.
func (w *worker) passedSockets() (files []*os.File, names []string, err error) {
	forwards, err := w.set.Files()
	if err != nil {
		return nil, nil, err
	}
	report, err := w.reports.files()
	names = append(slices.Repeat([]string{fdPrefix}, len(forwards)), slices.Repeat([]string{reportName}, len(report))...)
	return append(forwards, report...), names, err
}

// successorEnvironment is the environment at our own start, plus the variables for passed sockets and, after
// them, the socket of the handover.
func successorEnvironment(names []string) []string {
	env := slices.DeleteFunc(slices.Clone(environment), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return slices.Contains(ownVariables, name)
	})
	// LISTEN_PID is missing, because the new process has no ID yet; see inherit.
	n := len(names)
	return append(env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_FDNAMES="+strings.Join(names, ":"), handOverVariable+"="+strconv.Itoa(firstFD+n))
}

// ownVariables are the environment variables that are for this process alone.
var ownVariables = []string{
	"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID", "MAINPID", "MAINPIDFDID", handOverVariable,
}

// awaitReady waits until the successor has its SSH connection. Its error says why it will not.
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

// end kills a successor that will not take over.
func (s *successor) end() {
	s.conn.Close()
	s.process.Kill()
	s.process.Release()
}

// awaitExit calls f when the successor has ended.
func (s *successor) awaitExit(f func()) {
	s.conn.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, s.conn)
	f()
}

// giveToSuccessor gives the tunnel to the successor, and then waits for the open connections here.
func (w *worker) giveToSuccessor(endKeepers func()) {
	w.setHandOverStatus(func(h *handOverStatus) { *h = handOverStatus{} })
	w.publish() // the last status from here: from now on the new main process publishes
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
	w.drain(endKeepers)
	w.hooks.close()
}

// drain waits until the open connections have ended, for keeper.DrainTimeout at most. Then it
// waits for our own predecessor, if that still drains: it takes our end for the end of the tunnel.
//
// A request to stop, or the end of the successor, shortens the limit to drainTime. A second
// request ends the process at once.
func (w *worker) drain(endKeepers func()) {
	ctx, cancel := context.WithTimeout(context.Background(), keeper.DrainTimeout)
	defer cancel()
	shorten := func() { time.AfterFunc(drainTime(w.inForce.Load().tunnel), cancel) }
	go w.successor.awaitExit(shorten)
	defer w.handleStopRequests(shorten)()
	if err := w.set.Close(ctx); err != nil {
		w.log.Info("connections were cut that did not end in time")
	}
	endKeepers()
	select {
	case <-w.predecessor.exited:
	case <-ctx.Done():
	}
}
