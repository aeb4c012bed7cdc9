package top

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keyboard reads single keys from the terminal, without echo. Ctrl-C and Ctrl-Z still send signals.
// Between release and grab it reads nothing, because another program has the terminal.
type keyboard struct {
	fd      int
	before  *term.State
	presses chan press
	quit    *os.File // closed to end the goroutine that reads
	ended   chan struct{}
}

// newKeyboard starts to read keys from a terminal. It returns nil if f is not a terminal.
func newKeyboard(f *os.File) *keyboard {
	k := &keyboard{fd: int(f.Fd()), presses: make(chan press)}
	var err error
	if k.before, err = term.GetState(k.fd); err != nil || k.grab() != nil {
		return nil
	}
	return k
}

// grab switches the terminal to single keys and starts the goroutine that reads.
func (k *keyboard) grab() error {
	if k == nil {
		return nil
	}
	t, err := unix.IoctlGetTermios(k.fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ICANON | unix.ECHO
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(k.fd, unix.TCSETS, t); err != nil {
		return err
	}
	stop, quit, err := os.Pipe()
	if err != nil {
		return err
	}
	k.quit, k.ended = quit, make(chan struct{})
	go k.read(stop, k.ended)
	return nil
}

// release ends the reading and restores the terminal.
func (k *keyboard) release() {
	if k == nil || k.quit == nil {
		return
	}
	k.quit.Close()
	k.quit = nil
	for waiting := true; waiting; { // the goroutine may be sending a key
		select {
		case <-k.presses:
		case <-k.ended:
			waiting = false
		}
	}
	_ = term.Restore(k.fd, k.before)
}

// escapeTime is how long to wait for more after ESC, which may be a key of its own or begin a sequence.
const escapeTime = 50 * time.Millisecond

// read sends the pressed keys until stop or the terminal is closed.
func (k *keyboard) read(stop *os.File, ended chan struct{}) {
	defer close(ended)
	defer stop.Close()
	var pending []byte
	for {
		wait := -1
		if len(pending) > 0 {
			wait = int(escapeTime.Milliseconds())
		}
		ready := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}, {Fd: int32(stop.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, wait)
		if err == unix.EINTR {
			continue
		}
		if err != nil || ready[1].Revents != 0 {
			return
		}
		if n > 0 {
			var more [256]byte
			n, err := unix.Read(k.fd, more[:])
			if n <= 0 && err != unix.EINTR && err != unix.EAGAIN {
				return // the terminal is gone; SIGHUP ends the program
			}
			pending = append(pending, more[:max(n, 0)]...)
		}
		for len(pending) > 0 {
			p, used := decode(pending, n == 0)
			if used == 0 {
				break
			}
			pending = pending[used:]
			if p == (press{}) {
				continue
			}
			k.presses <- p // received by the loop, or by release
		}
	}
}
