package forward

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/sockets"
)

// listenUnix makes a unix socket with the permissions 0777 without mask. With unlink it first removes an
// existing socket on which nobody answers.
func listenUnix(path string, mask os.FileMode, unlink bool) (*port, error) {
	p, err := bindUnix(path, mask)
	if errors.Is(err, syscall.EADDRINUSE) && unlink && sockets.Stale(context.Background(), path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		p, err = bindUnix(path, mask)
	}
	return p, err
}

func bindUnix(path string, mask os.FileMode) (*port, error) {
	mode := os.ModePerm &^ mask
	var modeErr error
	// Set the mode before bind(2), because the file gets the mode of the socket. So nobody can connect
	// too early, and the umask, which the whole process shares, does not change.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) { modeErr = unix.Fchmod(int(fd), uint32(mode)) })
		return errors.Join(err, modeErr)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // port.close removes it, if it is still ours
	p := &port{listener: l}
	if p.socket, err = os.Lstat(path); err == nil && p.socket.Mode().Perm() != mode {
		err = os.Chmod(path, mode) // the umask removed more permissions than mask
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}
