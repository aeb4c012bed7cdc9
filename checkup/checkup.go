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

// Options say what is to be looked at.
type Options struct {
	Path string // of the tunnel file
	// Ask finds what answers for the tunnel without a person, such as remembered passphrases;
	// nil: nothing does.
	Ask func(tunnelfile.Tunnel) asking.Asker
	Log *slog.Logger
}

// examination is one tunnel being looked at.
type examination struct {
	tunnelfile.Findings
	ctx      context.Context
	o        Options
	tunnel   tunnelfile.Tunnel
	ask      asking.Asker
	server   *sshlink.Resolved
	forwards forward.Config
	running  *tunnelfile.Report // of the worker that runs now; nil: none does
}

// Tunnel looks at one tunnel, as far as what was found so far lets it: with a file that cannot
// be read there is no server to ask.
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

// resolve asks ssh what it makes of the destination.
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

// set is the command that changes a key of the tunnel's file.
func (x *examination) set(assignments ...string) string {
	return "holdfast set " + x.tunnel.Name + " " + strings.Join(assignments, " ")
}
