package tray

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wallTimer fires at a time of day, see timerfd_create(2). A time.Timer is not enough: it does not
// advance while the machine sleeps.
type wallTimer struct {
	fd   int      // stored, because File.Fd would make the file block
	file *os.File // the same descriptor
	// fired receives a value when the time has come, and also when the clock was set or the machine
	// woke up.
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

// run reads the timer and fills fired. It ends when the file is closed.
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

// set makes the timer fire at this time. It replaces the time that was set before.
func (t *wallTimer) set(when time.Time) error {
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(when.UnixNano())}
	return unix.TimerfdSettime(t.fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &at, nil)
}

func (t *wallTimer) close() { _ = t.file.Close() }
