package forward

import (
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

// TryListen says why a forward could not listen here, nil where it could. It leaves
// everything as it is, and is for a tunnel that does not listen now.
func TryListen(spec tunnelfile.Forward, c Config) error {
	for _, p := range placesOf(spec, c.GatewayPorts) {
		if p.network == "unix" {
			if err := tryUnix(p.addr, c.StreamLocalBindUnlink); err != nil {
				return p.describe(spec, err)
			}
			continue
		}
		l, err := net.Listen(p.network, p.addr)
		switch {
		case err == nil:
			l.Close()
		case errors.Is(err, syscall.EADDRNOTAVAIL) && p.network == "tcp6", errors.Is(err, syscall.EAFNOSUPPORT):
			// A family that this machine does not have.
		default:
			return p.describe(spec, err)
		}
	}
	return nil
}

func tryUnix(path string, unlink bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("nothing can be made in %s: %w", filepath.Dir(path), err)
		}
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("a file that is not a socket is in the way")
	case !unlink:
		return syscall.EADDRINUSE
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil // stale
	}
	conn.Close()
	return syscall.EADDRINUSE
}

// Prohibited says whether the server answered that it does not allow to open a channel.
func Prohibited(err error) bool { return classify(err) == failedForbidden }

// TurnedDown says whether the server answered, and the answer was no.
func TurnedDown(err error) bool { return turnedDown(err) }

// Reason is the sentence for people about a target, host:port or the path of a socket, that
// could not be reached: "db.internal:5432 refuses connections".
func Reason(addr string, err error) string { return explain(target{addr: addr}, err) }

// Target is a forward's target as a Link dials it.
func Target(spec tunnelfile.Forward) (network, addr string) {
	t := targetOf(spec.Target)
	return t.network, t.addr
}

// RemoteListen is where a RemoteForward listens, as a Link asks the server for it.
func RemoteListen(spec tunnelfile.Forward) (network, addr string) {
	t, _ := remoteListen(spec.Listen)
	return t.network, t.addr
}
