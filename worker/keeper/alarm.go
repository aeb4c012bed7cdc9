package keeper

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is a timer for long waits of which a machine has many. A timer of Go's wakes the runtime's
// monitor to the nanosecond and the thread that is to act a thousandth of the wait later, as
// epoll_wait(2) has it: between the two the monitor looks some sixty times whether it has acted. A
// timerfd wakes that thread alone.
type alarm struct {
	C     chan struct{} // a token when it was time; one may be left of an earlier Reset
	file  *os.File      // nil: there are no descriptors left, or no timerfd
	timer *time.Timer   // in place of file
}

func newAlarm() *alarm {
	a := &alarm{C: make(chan struct{}, 1)}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		a.timer = time.AfterFunc(time.Hour, a.ring)
		a.timer.Stop()
		return a
	}
	a.file = os.NewFile(uintptr(fd), "timerfd")
	go func() {
		for expirations := make([]byte, 8); ; a.ring() {
			if _, err := a.file.Read(expirations); err != nil {
				return // closed
			}
		}
	}()
	return a
}

func (a *alarm) ring() {
	select {
	case a.C <- struct{}{}:
	default:
	}
}

// reset sets it, to at once where wait is not positive.
func (a *alarm) reset(wait time.Duration) { a.set(max(wait, 1)) }

// stop has it wait for the next reset.
func (a *alarm) stop() { a.set(0) }

// set is in the words of timerfd_settime(2), in which 0 is never.
func (a *alarm) set(wait time.Duration) {
	switch {
	case a.file == nil && wait == 0:
		a.timer.Stop()
		return
	case a.file == nil:
		a.timer.Reset(wait)
		return
	}
	if raw, err := a.file.SyscallConn(); err == nil { // Fd would make reads block
		raw.Control(func(fd uintptr) {
			unix.TimerfdSettime(int(fd), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}, nil)
		})
	}
}

func (a *alarm) close() {
	a.stop()
	if a.file != nil {
		a.file.Close()
	}
}

// together moves a time back to one that all tunnels of this machine have in common, by less than
// step. Machines that were started at other times have others.
func together(t time.Time, step time.Duration) time.Time {
	var up unix.Timespec
	if step <= 0 || unix.ClockGettime(unix.CLOCK_MONOTONIC, &up) != nil {
		return t
	}
	return t.Add(-((time.Duration(up.Nano()) + time.Until(t)) % step))
}
