package checkup

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/tunnelfile"
)

// listeners examines the local listen addresses: the tunnel listens there, they are free, or another process
// uses them.
func (x *examination) listeners() {
	listens := x.listens()
	for _, f := range x.forwards.Forwards {
		if f.Kind == tunnelfile.RemoteForward {
			continue
		}
		name := string(f.Kind) + " " + f.Listen.String()
		if listens {
			x.listening(f, name)
			continue
		}
		x.free(f, name)
	}
}

// free says whether a forward could listen, and if not, why.
func (x *examination) free(f tunnelfile.Forward, name string) {
	err := sockets.Free(x.ctx, f, x.forwards.GatewayPorts, x.forwards.StreamLocalBindUnlink)
	taken, _ := errors.AsType[*sockets.Error](err)
	switch {
	case err == nil:
		x.OK(tunnelfile.SubjectListen, "%s: free to listen on", name)
	case errors.Is(err, syscall.EACCES) && x.systemdListens():
		x.OK(tunnelfile.SubjectListen, "%s: the system's systemd listens for it", name)
	case taken.Privileged():
		x.Problem(tunnelfile.SubjectListen, "sudo sysctl net.ipv4.ip_unprivileged_port_start="+strconv.Itoa(f.Listen.Port), "%v", err)
	case errors.Is(err, syscall.EADDRINUSE):
		x.Problem(tunnelfile.SubjectListen, x.whoListens(taken), "%v", err)
	default:
		x.Problem(tunnelfile.SubjectListen, "holdfast edit "+x.tunnel.Name, "%v", err)
	}
}

// systemdListens says whether PID 1 makes the listening sockets, which it may do on any port. It does so
// for the forwards in the file of a system tunnel.
func (x *examination) systemdListens() bool {
	return len(x.tunnel.Forwards) > 0 && slices.Contains(tunnelfile.SystemDirs(), filepath.Dir(x.tunnel.Path))
}

// listening reports the state of a forward whose tunnel listens now.
func (x *examination) listening(f tunnelfile.Forward, name string) {
	if r := x.reported(f); r.State == tunnelfile.Degraded {
		x.Problem(tunnelfile.SubjectListen, "holdfast status "+x.tunnel.Name, "%s: %s", name, r.Message)
		return
	}
	x.OK(tunnelfile.SubjectListen, "%s: the tunnel listens", name)
}

// whoListens is the command line that shows which process has a listening socket.
func (x *examination) whoListens(taken *sockets.Error) string {
	owner, listen := taken.Owner, taken.Forward.Listen
	switch {
	case owner.PID != 0:
		return "systemctl status " + strconv.Itoa(owner.PID) + "   # says what starts " + owner.Process + "; or give the forward another port: holdfast edit " + x.tunnel.Name
	case listen.Unix != "":
		return "sudo ss -xlp src " + tunnelfile.ShellWord(listen.Unix)
	}
	return "sudo ss -ltnp sport = :" + strconv.Itoa(listen.Port)
}

// isLoopback says whether only the server itself can reach a listener there.
func isLoopback(a tunnelfile.Address) bool {
	return !a.Bind && a.Host == "" || a.Host == "localhost" || strings.HasPrefix(a.Host, "127.") || a.Host == "::1"
}
