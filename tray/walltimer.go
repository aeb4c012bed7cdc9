package tray

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wallTimer fires at a time of day, see timerfd_create(2). A time.Timer would not do: it stands
// still while the machine sleeps.
type wallTimer struct {
	fd   int      // File.Fd would make it block
	file *os.File // the same
	// fired has something in it when the time has come, and when the clock was set or the
	// machine woke up.
	fired chan struct{}
}

func newWallTimer() (*wallTimer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	t := &wallTimer{fd, os.NewFile(uintptr(fd), "timerfd"), make(chan struct{}, 1)}
	go t.run()
	return t, nil
}

// run ends when the file is closed.
func (t *wallTimer) run() {
	var count [8]byte
	for {
		if _, err := t.file.Read(count[:]); err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		select {
		case t.fired <- struct{}{}:
		default:
		}
	}
}

// set has it fire then, and no more at the time it was set to before.
func (t *wallTimer) set(when time.Time) error {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(when.UnixNano())}
	return unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
}

func (t *wallTimer) close() { _ = t.file.Close() }
