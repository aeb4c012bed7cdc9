package top

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keyboard gives what is pressed, key after key, unseen and without a newline. Ctrl-C and Ctrl-Z
// are signals as ever. Between give and take nothing is read: the terminal is another program's.
type keyboard struct {
	fd      int
	before  *term.State
	presses chan press
	quit    *os.File // closed: reading ends
	ended   chan struct{}
}

// newKeyboard reads from a terminal; nil where f is none.
func newKeyboard(f *os.File) *keyboard {
	k := &keyboard{fd: int(f.Fd()), presses: make(chan press)}
	var err error
	if k.before, err = term.GetState(k.fd); err != nil || k.take() != nil {
		return nil
	}
	return k
}

// take has the terminal give keys.
func (k *keyboard) take() error {
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

// give gives the terminal back as it was.
func (k *keyboard) give() {
	if k == nil || k.quit == nil {
		return
	}
	k.quit.Close()
	k.quit = nil
	for waiting := true; waiting; { // it may want to hand over a key
		select {
		case <-k.presses:
		case <-k.ended:
			waiting = false
		}
	}
	_ = term.Restore(k.fd, k.before)
}

// escapeTime is how long the rest of a key may take that begins as Escape does.
const escapeTime = 50 * time.Millisecond

// read hands on what is pressed until stop ends, or the input.
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
				return // the terminal is gone, and a signal says so
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
			k.presses <- p // give takes it, where nobody else does
		}
	}
}
