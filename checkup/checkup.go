package checkup

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
)

// Options say which tunnel is examined.
type Options struct {
	Path string // of the tunnel file
	// Ask returns an Asker that answers without a person, such as with remembered passphrases; nil if
	// there is none.
	Ask func(tunnelfile.Tunnel) asking.Asker
	Log *slog.Logger
}

// examination is the examination of one tunnel.
type examination struct {
	tunnelfile.Findings
	ctx      context.Context
	o        Options
	tunnel   tunnelfile.Tunnel
	ask      asking.Asker
	server   *sshlink.Resolved
	forwards forward.Config
	running  *tunnelfile.Report // of the running worker; nil if none runs
}

// Tunnel examines one tunnel. It stops at a problem that makes further steps impossible: if the file
// cannot be read, there is no server to ask.
func Tunnel(ctx context.Context, o Options) []tunnelfile.Finding {
	x := &examination{ctx: ctx, o: o}
	if !x.file() || !x.resolve() {
		return x.Findings
	}
	if r, err := report.Read(ctx, tunnelfile.ReportSocket(tunnelfile.RuntimeDir(os.Getenv), x.tunnel.Name)); err == nil {
		x.running = &r
	}
	x.settings()
	x.agent()
	x.keys()
	x.listeners()
	if link := x.login(); link != nil {
		defer link.Close()
		since := time.Now()
		x.negotiated(link)
		x.targets(link)
		x.remotes(link)
		x.keepalives(link, since)
	}
	return x.Findings
}

// resolve resolves the destination with ssh -G. It returns false if that fails.
func (x *examination) resolve() bool {
	t := x.tunnel
	if x.o.Ask != nil {
		x.ask = x.o.Ask(t)
	}
	source := config.Of(t)
	source.Log = x.o.Log
	server, err := sshlink.Resolve(x.ctx, source, x.ask)
	if err != nil {
		x.Problem(tunnelfile.SubjectSettings, "holdfast edit "+t.Name, "%v", err)
		return false
	}
	x.server = server
	x.forwards = forward.Config{
		Forwards: t.Forwards, GatewayPorts: server.GatewayPorts,
		StreamLocalBindMask: server.StreamLocalBindMask, StreamLocalBindUnlink: server.StreamLocalBindUnlink,
	}
	if len(t.Forwards) == 0 {
		x.forwards.Forwards = server.Forwards
	}
	return true
}

// setCommand is the command line that changes keys of the tunnel's file.
func (x *examination) setCommand(assignments ...string) string {
	return "holdfast set " + x.tunnel.Name + " " + strings.Join(assignments, " ")
}
