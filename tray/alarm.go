package tray

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm rings at a time of day, see timerfd_create(2). A time.Timer would not do: it stands
// still while the machine sleeps.
type alarm struct {
	fd   int      // File.Fd would make it block
	file *os.File // the same
	// rung has something in it when the time has come, and when the clock was set or the
	// machine woke up.
	rung chan struct{}
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &alarm{fd, os.NewFile(uintptr(fd), "timerfd"), make(chan struct{}, 1)}
	go a.run()
	return a, nil
}

// run ends when the file is closed.
func (a *alarm) run() {
	var count [8]byte
	for {
		if _, err := a.file.Read(count[:]); err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		select {
		case a.rung <- struct{}{}:
		default:
		}
	}
}

// set has it ring at t, and no more at the time it was set to before.
func (a *alarm) set(t time.Time) error {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(t.UnixNano())}
	return unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
}

func (a *alarm) close() { _ = a.file.Close() }
