package top

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keyboard gives key after key, unseen and without a newline; Ctrl-C and Ctrl-Z are signals as ever.
type keyboard struct {
	fd     int
	before *term.State
	keys   chan byte // closed at the end of input
}

// newKeyboard reads from a terminal; nil where f is none.
func newKeyboard(f *os.File) *keyboard {
	k := &keyboard{fd: int(f.Fd()), keys: make(chan byte)}
	var err error
	if k.before, err = term.GetState(k.fd); err != nil || k.take() != nil {
		return nil
	}
	go func() {
		defer close(k.keys)
		for {
			var key [1]byte
			if n, err := f.Read(key[:]); n == 0 || err != nil {
				return
			}
			k.keys <- key[0]
		}
	}()
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
	return unix.IoctlSetTermios(k.fd, unix.TCSETS, t)
}

// give gives the terminal back as it was.
func (k *keyboard) give() {
	if k != nil {
		_ = term.Restore(k.fd, k.before)
	}
}
