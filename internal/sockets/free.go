package sockets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/tunnelfile"
)

// answerTimeout is how long the owner of a unix socket may take to answer.
const answerTimeout = time.Second

// Free says why a forward cannot listen here, nil if it can. With unlink, a unix socket on which nobody
// answers counts as free. The error is an *Error.
//
// Call it to find a reason, not before listening: a process that is starting has copies of our
// sockets, so the address would seem to be in use.
func Free(ctx context.Context, f tunnelfile.Forward, gatewayPorts, unlink bool) error {
	addresses, err := Of(ctx, f.Listen, gatewayPorts)
	if err != nil {
		return Explain(f, addresses[0], err)
	}
	for _, a := range addresses {
		if err := a.Free(ctx, unlink); err != nil {
			return Explain(f, a, err)
		}
	}
	return nil
}

// Free says why it is not possible to listen at this address, nil if it is; see the function Free.
func (a Address) Free(ctx context.Context, unlink bool) error {
	if a.Network == "unix" {
		return freePath(ctx, a.Addr, unlink)
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func freePath(ctx context.Context, path string, unlink bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writable(filepath.Dir(path))
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("a file that is not a socket is in the way")
	case unlink && Stale(ctx, path):
		return nil
	}
	return syscall.EADDRINUSE
}

// writable returns an error if no socket can be made in a folder. A folder that does not exist can
// be made in the nearest one above that does.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return syscall.ENOTDIR
		case errors.Is(err, fs.ErrNotExist):
			dir = filepath.Dir(dir)
			continue
		case err != nil:
			return err
		}
		if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("nothing can be made in %s: %w", dir, err)
		}
		return nil
	}
}

// Stale says whether path is a socket that nobody listens on.
func Stale(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
