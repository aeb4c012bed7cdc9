package keeper

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is a timer for long waits, for a machine with many tunnels. It uses a timerfd
// (timerfd_create(2)), because that wakes one thread once.
//
// A timer of Go wakes the runtime's monitor exactly in time, but epoll_wait(2) wakes the thread that
// runs the timer up to a thousandth of the wait later. Meanwhile the monitor wakes some sixty times.
type alarm struct {
	C     chan struct{} // a token when the alarm rang; an old one may be left from an earlier reset
	file  *os.File      // nil if there is no timerfd, or no descriptor left
	timer *time.Timer   // used if file is nil
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

// reset makes it ring after wait, at once if wait is not positive.
func (a *alarm) reset(wait time.Duration) { a.set(max(wait, 1)) }

// stop disarms it until the next reset.
func (a *alarm) stop() { a.set(0) }

// set arms the timer as timerfd_settime(2) does: 0 disarms it.
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

// together moves t back, by less than step, to a multiple of step since boot. So the tunnels of one
// machine wake together, and different machines at different times.
func together(t time.Time, step time.Duration) time.Time {
	var up unix.Timespec
	if step <= 0 || unix.ClockGettime(unix.CLOCK_MONOTONIC, &up) != nil {
		return t
	}
	return t.Add(-((time.Duration(up.Nano()) + time.Until(t)) % step))
}
