package worker

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fdPrefix is the prefix of the names (FileDescriptorName=, FDNAME=) of Holdfast's sockets.
const fdPrefix = "holdfast"

// firstFD is the first file descriptor that the service manager passes, see sd_listen_fds(3).
const firstFD = 3

// reportName is the name of the --listen socket. Only a predecessor passes it.
const reportName = fdPrefix + ".listen"

// inherited are the listening sockets that were passed to this process.
type inherited struct {
	listeners []net.Listener // of forwards
	report    net.Listener   // of --listen; nil if it was not passed
}

// inherit takes the listening sockets that the service manager passed, see sd_listen_fds(3), or
// that the predecessor passed (handedOver). It hides them from the processes that we start. A
// predecessor cannot set LISTEN_PID, so that is not checked then.
func inherit(log *slog.Logger, handedOver bool) (in inherited) {
	defer func() {
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
			os.Unsetenv(name)
		}
	}()
	if !handedOver && os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return in
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 {
		return in
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		fd := firstFD + i
		unix.CloseOnExec(fd)
		name := fdPrefix
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		if !strings.HasPrefix(name, fdPrefix) && name != "unknown" {
			continue // not one of ours: a setting in [Service] passed it
		}
		f := os.NewFile(uintptr(fd), name)
		l, err := net.FileListener(f) // a copy; f is closed either way
		f.Close()
		if err != nil {
			log.Warn("an inherited file descriptor is no listening socket", "name", name, "error", err)
			continue
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the socket unit owns the path
		}
		if handedOver && name == reportName {
			in.report = l
			continue
		}
		in.listeners = append(in.listeners, l)
	}
	return in
}
