package checkup

import (
	"errors"
	"regexp"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// listeners looks at the listening sockets here: whether they are the tunnel's, free, or
// held by somebody else.
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
		err := forward.TryListen(f, x.forwards)
		switch {
		case err == nil:
			x.OK(tunnelfile.SubjectListen, "%s: free to listen on", name)
		case errors.Is(err, syscall.EACCES) && f.Listen.Port > 0:
			x.Problem(tunnelfile.SubjectListen, "sudo sysctl net.ipv4.ip_unprivileged_port_start="+itoa(f.Listen.Port),
				"%v: ports below 1024 are for root; take another, or allow it", err)
		case errors.Is(err, syscall.EADDRINUSE):
			x.Problem(tunnelfile.SubjectListen, x.whoListens(f, err), "%v", err)
		default:
			x.Problem(tunnelfile.SubjectListen, "holdfast edit "+x.tunnel.Name, "%v", err)
		}
	}
}

// listening says how a forward of a tunnel that listens now is doing.
func (x *examination) listening(f tunnelfile.Forward, name string) {
	if x.running != nil {
		for _, r := range x.running.Forwards {
			if r.Kind == f.Kind && r.Text == f.Text && r.State == tunnelfile.Degraded {
				x.Problem(tunnelfile.SubjectListen, "holdfast status "+x.tunnel.Name, "%s: %s", name, r.Message)
				return
			}
		}
	}
	x.OK(tunnelfile.SubjectListen, "%s: the tunnel listens", name)
}

var holderPID = regexp.MustCompile(`held by (\S+), pid (\d+)`)

// whoListens is the command that shows, or asks, who holds a listening socket.
func (x *examination) whoListens(f tunnelfile.Forward, err error) string {
	if m := holderPID.FindStringSubmatch(err.Error()); m != nil {
		return "systemctl status " + m[2] + "   # says what starts " + m[1] + "; or give the forward another port: holdfast edit " + x.tunnel.Name
	}
	if f.Listen.Unix != "" {
		return "sudo ss -xlp src " + tunnelfile.ShellWord(f.Listen.Unix)
	}
	return "sudo ss -ltnp sport = :" + itoa(f.Listen.Port)
}

// isLoopback says whether a listener on the server is for the server alone.
func isLoopback(a tunnelfile.Address) bool {
	return !a.Bind && a.Host == "" || a.Host == "localhost" || strings.HasPrefix(a.Host, "127.") || a.Host == "::1"
}
