package worker

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/text"
)

// notifier sends sd_notify(3) messages to the service manager. Without one it sends nothing.
type notifier struct {
	path  string // of its socket, "@" first for an abstract one; empty: no service manager
	log   *slog.Logger
	muted atomic.Bool // another process is the unit's main one: systemd accepts messages from that one only

	// Assignments that could not be sent, because the service manager did not read for a while,
	// as when it starts hundreds of units at once. The worker's loop owns these fields.
	missed   map[string]string // values, by the assignment's name
	resendAt <-chan time.Time  // when to send them again; nil if there are none
}

// newNotifier reads NOTIFY_SOCKET and hides it from the processes that we start.
func newNotifier(log *slog.Logger) *notifier {
	defer os.Unsetenv("NOTIFY_SOCKET")
	return &notifier{log: log, path: os.Getenv("NOTIFY_SOCKET")}
}

// present says whether there is a service manager to send to.
func (n *notifier) present() bool { return n.path != "" }

// send sends assignments, one on each line, with file descriptors. It returns false if that
// failed, true if there is nobody to send to.
func (n *notifier) send(fds []int, assignments ...string) bool {
	if !n.present() || n.muted.Load() {
		return true
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	err := sendTo(n.path, []byte(strings.Join(assignments, "\n")), rights)
	if err != nil {
		n.log.Warn("the service manager takes no message", "error", err)
	}
	return err == nil
}

// sendTo sends a datagram. It waits a second at most, because the tunnel must not block on a service manager
// that does not read.
func sendTo(path string, message, rights []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return err
	}
	for {
		err := unix.Sendmsg(fd, message, rights, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// sendReliably sends an assignment that must arrive. If that fails, resendMissed sends it later.
func (n *notifier) sendReliably(name, value string) {
	delete(n.missed, name)
	if n.send(nil, name+value) {
		return
	}
	if n.missed == nil {
		n.missed = make(map[string]string)
	}
	n.missed[name], n.resendAt = value, time.After(time.Second)
}

// resendMissed sends the missed assignments again.
func (n *notifier) resendMissed() {
	n.resendAt = nil
	for _, name := range []string{statusName, readyName} {
		if value, ok := n.missed[name]; ok {
			n.sendReliably(name, value)
		}
	}
}

const statusName, readyName = "STATUS=", "READY="

// maxStatus is the longest StatusText, in bytes: systemd drops a message over 4 KB. Most of its
// parts are bounded where they are made; this limit is for the others.
const maxStatus = 2 << 10

func (n *notifier) status(status string) {
	n.sendReliably(statusName, text.BoundBytes(text.OneLine(status), maxStatus))
}

// ready and stopping send the unit's new state and the status in separate messages, so that the
// state arrives even if the status does not.
func (n *notifier) ready(status string) {
	n.status(status)
	n.sendReliably(readyName, "1")
}

func (n *notifier) stopping(status string) {
	n.send(nil, "STOPPING=1")
	n.status(status)
}

func (n *notifier) watchdog() { n.send(nil, "WATCHDOG=1") }

// reloading sends RELOADING=1. The caller must call ready afterwards.
func (n *notifier) reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	n.send(nil, "RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// store puts a listening socket into the service manager's file descriptor store, from which
// the next process of this unit gets it.
func (n *notifier) store(name string, l net.Listener) {
	if !n.present() {
		return
	}
	s, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Control(func(fd uintptr) { n.send([]int{int(fd)}, "FDSTORE=1", "FDNAME="+fdName(name)) })
	if err != nil {
		n.log.Warn("a listening socket cannot be stored", "error", err)
	}
}

// unstore removes a socket from the file descriptor store.
func (n *notifier) unstore(name string) { n.send(nil, "FDSTOREREMOVE=1", "FDNAME="+fdName(name)) }

// fdName makes a name that sd_notify(3) allows, ASCII without control characters and colons, at
// most 255 bytes, and that inherit recognizes as ours.
func fdName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ':' {
			return '_'
		}
		return r
	}, name)
	if !strings.HasPrefix(clean, fdPrefix) {
		clean = fdPrefix + "-" + clean
	}
	return clean[:min(len(clean), 255)]
}

// mainPID names another process as the unit's main one. Afterwards this notifier is muted.
func (n *notifier) mainPID(pid int) {
	n.send(nil, "MAINPID="+strconv.Itoa(pid))
	n.muted.Store(true)
}

// watchdogInterval is how often the service manager expects WATCHDOG=1, see
// sd_watchdog_enabled(3); 0 if never.
func watchdogInterval() time.Duration {
	defer os.Unsetenv("WATCHDOG_USEC")
	defer os.Unsetenv("WATCHDOG_PID")
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}
