package worker

import (
	"errors"
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
	address *net.UnixAddr // nil: no service manager
	log     *slog.Logger
	muted   atomic.Bool // another process is the unit's main one: systemd accepts messages from that one only

	// Assignments that could not be sent, because the service manager did not read for a while,
	// as when it starts hundreds of units at once. The worker's loop owns these fields.
	missed   map[string]string // values, by the assignment's name
	resendAt <-chan time.Time  // when to send them again; nil if there are none
}

// newNotifier reads NOTIFY_SOCKET and hides it from the processes that we start.
func newNotifier(log *slog.Logger) *notifier {
	path := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	n := &notifier{log: log}
	if path != "" {
		// net takes a leading "@" for the abstract namespace, as sd_notify does.
		n.address = &net.UnixAddr{Name: path, Net: "unixgram"}
	}
	return n
}

// present says whether there is a service manager to send to.
func (n *notifier) present() bool { return n.address != nil }

// send sends assignments, one on each line, with file descriptors. It returns false if that
// failed, true if there is nobody to send to.
func (n *notifier) send(fds []int, assignments ...string) bool {
	if n.address == nil || n.muted.Load() {
		return true
	}
	conn, err := net.DialUnix("unixgram", nil, n.address)
	if err == nil {
		defer conn.Close()
		// The tunnel must not block on a service manager that does not read.
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		var rights []byte
		if len(fds) > 0 {
			rights = unix.UnixRights(fds...)
		}
		err = sendMessage(conn, []byte(strings.Join(assignments, "\n")), rights)
	}
	if err != nil {
		n.log.Warn("the service manager cannot be told", "error", err)
	}
	return err == nil
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

// sendMessage is sendmsg(2) on a connected datagram socket. WriteMsgUnix refuses such a socket.
func sendMessage(conn *net.UnixConn, message, rights []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendmsg(int(fd), message, rights, nil, unix.MSG_NOSIGNAL)
		return sendErr != unix.EAGAIN
	})
	return errors.Join(err, sendErr)
}

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
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return
	}
	n.send(nil, "RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// store puts a listening socket into the service manager's file descriptor store, from which
// the next process of this unit gets it.
func (n *notifier) store(name string, l net.Listener) {
	if n.address == nil {
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
	n.mute()
}

func (n *notifier) mute()  { n.muted.Store(true) }
func (n *notifier) speak() { n.muted.Store(false) }

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
