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

// listenUnix makes a unix socket with the permissions that mask leaves. With unlink a
// socket that is there but that nobody answers on is removed first.
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
	// The mode of the unbound socket is that of the file which bind(2) makes: so nobody
	// can connect before a chmod, and the process's umask, which is everybody's, stays.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) { modeErr = unix.Fchmod(int(fd), uint32(mode)) })
		return errors.Join(err, modeErr)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // port.close looks first whether it is still ours
	p := &port{listener: l}
	if p.socket, err = os.Lstat(path); err == nil && p.socket.Mode().Perm() != mode {
		err = os.Chmod(path, mode) // the umask took more away than mask does
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}
