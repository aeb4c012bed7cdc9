package openssh

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// SpliceFrom moves data from a socket into the channel within the kernel (splice(2)). It waits for
// data, and returns the error of the side that failed. If the kernel cannot do it, readErr is
// [errors.ErrUnsupported].
func (c *masterChannel) SpliceFrom(socket syscall.Conn) (n int, readErr, writeErr error) {
	c.out.grow()
	n, readErr, writeErr = splice(c.out.File, socket)
	if n > 0 {
		c.link.Conn.NoteQuestion()
	}
	return n, readErr, writeErr
}

// SpliceTo moves data from the channel to a socket, as SpliceFrom does.
func (c *masterChannel) SpliceTo(socket syscall.Conn) (n int, readErr, writeErr error) {
	c.in.grow()
	n, readErr, writeErr = splice(socket, c.in.File)
	if n > 0 {
		c.link.Conn.NoteAnswer()
	}
	return n, readErr, writeErr
}

// splice moves bytes from src to dst as soon as there are some. One of the two must be a pipe.
func splice(dst, src syscall.Conn) (n int, readErr, writeErr error) {
	from, readErr := src.SyscallConn()
	to, writeErr := dst.SyscallConn()
	for readErr == nil && writeErr == nil {
		var err error
		var full bool
		readErr = from.Read(func(s uintptr) bool {
			writeErr = to.Control(func(d uintptr) {
				n, err = spliceOnce(int(d), int(s))
				// EAGAIN can be about either side.
				full = err == unix.EAGAIN && ready(s, unix.POLLIN)
			})
			return err != unix.EAGAIN || full || writeErr != nil
		})
		switch {
		case readErr != nil || writeErr != nil:
		case full:
			writeErr = to.Write(func(d uintptr) bool { return ready(d, unix.POLLOUT) })
		case err == unix.EINVAL || err == unix.ENOSYS:
			return 0, errors.ErrUnsupported, nil
		case err == nil && n == 0:
			return 0, io.EOF, nil
		case err == nil:
			return n, nil, nil
		case err == unix.EPIPE || isPipe(src):
			writeErr = os.NewSyscallError("splice", err)
		default:
			readErr = os.NewSyscallError("splice", err)
		}
	}
	return 0, readErr, writeErr
}

// isPipe says whether c is our pipe. If it is, only the other side of a splice can have failed.
func isPipe(c syscall.Conn) bool {
	_, ok := c.(*os.File)
	return ok
}

func spliceOnce(dst, src int) (int, error) {
	for {
		n, err := unix.Splice(src, nil, dst, nil, largePipe, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != unix.EINTR {
			return int(n), err
		}
	}
}

// ready says whether a descriptor can be read or written without waiting, or has failed.
func ready(fd uintptr, events int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n != 0
		}
	}
}
