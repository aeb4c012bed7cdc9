package keeper

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/timerfd"
)

// alarm is a timer for long waits, for a machine with many tunnels. It uses a timerfd, because that
// wakes one thread once.
//
// A timer of Go wakes the runtime's monitor exactly in time, but epoll_wait(2) wakes the thread that
// runs the timer up to a thousandth of the wait later. Meanwhile the monitor wakes some sixty times.
type alarm struct {
	C      chan struct{}  // a token when the alarm rang; an old one may be left from an earlier reset
	kernel *timerfd.Timer // nil if there is none
	timer  *time.Timer    // used if kernel is nil
}

func newAlarm() *alarm {
	if kernel, err := timerfd.New(timerfd.Monotonic); err == nil {
		return &alarm{C: kernel.C, kernel: kernel}
	}
	return newGoAlarm()
}

// newGoAlarm makes an alarm that uses a timer of Go.
func newGoAlarm() *alarm {
	c := make(chan struct{}, 1)
	timer := time.AfterFunc(time.Hour, func() {
		select {
		case c <- struct{}{}:
		default:
		}
	})
	timer.Stop()
	return &alarm{C: c, timer: timer}
}

// reset makes it ring after wait, at once if wait is not positive.
func (a *alarm) reset(wait time.Duration) { a.set(max(wait, 1)) }

// stop disarms it until the next reset.
func (a *alarm) stop() { a.set(0) }

// set arms the timer as timerfd_settime(2) does: 0 disarms it.
func (a *alarm) set(wait time.Duration) {
	switch {
	case a.kernel != nil:
		_ = a.kernel.After(wait)
	case wait == 0:
		a.timer.Stop()
	default:
		a.timer.Reset(wait)
	}
}

func (a *alarm) close() {
	a.stop()
	if a.kernel != nil {
		a.kernel.Close()
	}
}

// alignToBoot moves t back, by less than step, to a multiple of step since boot. So the tunnels of one
// machine wake together, and different machines at different times.
func alignToBoot(t time.Time, step time.Duration) time.Time {
	if step <= 0 {
		return t
	}
	up := time.Since(boot())
	return t.Add(-((up + time.Until(t)) % step))
}

// boot is when the machine's monotonic clock began, by that clock.
var boot = sync.OnceValue(func() time.Time {
	var up unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &up)
	return time.Now().Add(-time.Duration(up.Nano()))
})
