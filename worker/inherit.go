package worker

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fdPrefix begins the names (FileDescriptorName=, FDNAME=) of the sockets that are ours.
const fdPrefix = "holdfast"

// firstFD is the first file descriptor that the service manager passes, see sd_listen_fds(3).
const firstFD = 3

// inherit takes the listening sockets that the service manager passed, or the process that
// hands over to us, and hides them from the processes that we start.
func inherit(log *slog.Logger, handedOver bool) []net.Listener {
	defer func() {
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
			os.Unsetenv(name)
		}
	}()
	if !handedOver && os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 {
		return nil
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var listeners []net.Listener
	for i := range n {
		fd := firstFD + i
		unix.CloseOnExec(fd)
		name := fdPrefix
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		if !strings.HasPrefix(name, fdPrefix) && name != "unknown" {
			continue // somebody else's, passed by a setting in [Service]
		}
		f := os.NewFile(uintptr(fd), name)
		l, err := net.FileListener(f) // a copy; f is closed either way
		f.Close()
		if err != nil {
			log.Warn("an inherited file descriptor is no listening socket", "name", name, "error", err)
			continue
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the path is the socket unit's
		}
		listeners = append(listeners, l)
	}
	return listeners
}
