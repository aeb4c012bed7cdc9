// Package timerfd is a timer of the kernel, see timerfd_create(2), for long waits of processes that
// are idle for hours.
//
// It knows clocks and nothing else.
package timerfd

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Clocks of a [Timer].
const (
	Monotonic = unix.CLOCK_MONOTONIC // stands still while the machine sleeps
	Realtime  = unix.CLOCK_REALTIME  // the time of day
)

// Timer fires once for each time that it is set to. A timer of Go wakes more threads, and does not
// know the time of day.
type Timer struct {
	C    chan struct{} // a token when the timer fired; one may be left from before the last change
	file *os.File
}

// New makes a timer that is not armed. It fails where there is no timerfd, or no descriptor left.
func New(clock int) (*Timer, error) {
	fd, err := unix.TimerfdCreate(clock, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &Timer{make(chan struct{}, 1), os.NewFile(uintptr(fd), "timerfd")}
	go t.run()
	return t, nil
}

// run fills C until the file is closed. It reads without telling the scheduler, because the first
// ordinary system call after a wait wakes the runtime's monitor, which then looks around some twenty
// times. Such a read must not block, and does not.
func (t *Timer) run() {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return
	}
	var expirations [8]byte
	_ = raw.Read(func(fd uintptr) (done bool) {
		_, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&expirations)), unsafe.Sizeof(expirations))
		if errno == 0 || errno == unix.ECANCELED {
			select {
			case t.C <- struct{}{}:
			default:
			}
		}
		return false // wait for the next time
	})
}

// After makes the timer fire once the wait is over. A wait of 0 disarms it.
func (t *Timer) After(wait time.Duration) error { return t.set(0, wait.Nanoseconds()) }

// At makes a timer of the Realtime clock fire at a time of day, and also when the clock is set or the
// machine wakes up.
func (t *Timer) At(when time.Time) error {
	return t.set(unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, when.UnixNano())
}

func (t *Timer) set(flags int, nanoseconds int64) error {
	raw, err := t.file.SyscallConn() // File.Fd would make the file block
	if err != nil {
		return err
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(nanoseconds)}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.TimerfdSettime(int(fd), flags, &at, nil) }); err != nil {
		return err
	}
	return failed
}

// Close ends the timer.
func (t *Timer) Close() { _ = t.file.Close() }
