package worker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
	"github.com/holdfast/holdfast/worker/keeper"
)

// settings is a tunnel file, resolved with ssh_config(5).
type settings struct {
	tunnel   tunnelfile.Tunnel
	resolved *sshlink.Resolved // nil if it could not be resolved
	err      error             // why resolved is nil
}

// load reads the tunnel file and resolves it. The error is about the tunnel file alone. An error
// in ssh_config goes into settings.err, because somebody may repair that while the tunnel waits.
func load(ctx context.Context, path string, ask asking.Asker, log *slog.Logger) (settings, error) {
	t, err := tunnelfile.LoadFile(path)
	if err != nil {
		return settings{}, err
	}
	s := settings{tunnel: t}
	s.resolved, s.err = sshlink.Resolve(ctx, s.source(log), ask)
	return s, nil
}

// loadResolved is load, but an error in ssh_config is an error too.
func loadResolved(ctx context.Context, path string, ask asking.Asker, log *slog.Logger) (settings, error) {
	s, err := load(ctx, path, ask, log)
	return s, cmp.Or(err, s.err)
}

// Check reads the tunnel file, resolves it with ssh -G, and returns everything that is wrong.
// It opens nothing and contacts no server.
func Check(ctx context.Context, path string, log *slog.Logger) error {
	_, err := loadResolved(ctx, path, nil, log)
	return err
}

// source is what sshlink.Resolve needs to know about the tunnel.
func (s settings) source(log *slog.Logger) config.Source {
	source := config.Of(s.tunnel)
	source.Log = log
	return source
}

// policy is how the keepers watch their links and retry.
func (s settings) policy() keeper.Policy {
	p := keeper.Policy{GateTime: s.tunnel.GateTime, RetryMax: s.tunnel.RetryMax, RetryDenied: s.tunnel.RetryDenied}
	if r := s.resolved; r != nil {
		p.ServerAliveInterval, p.ServerAliveCountMax, p.Address = r.ServerAliveInterval, r.ServerAliveCountMax, r.Address()
	}
	return p
}

// forwards is the configuration of the forwards. Those of ssh_config(5) are used if the tunnel
// file has none.
func (s settings) forwards() forward.Config {
	t := s.tunnel
	c := forward.Config{
		Forwards: t.Forwards, HoldTimeout: t.HoldTimeout, AllowUsers: t.AllowUsers, Check: t.Check,
		StreamLocalBindMask:   tunnelfile.StreamLocalBindMask,
		StreamLocalBindUnlink: t.Yes("StreamLocalBindUnlink"), ExitOnForwardFailure: t.Yes("ExitOnForwardFailure"),
	}
	transport := t.Transport
	if r := s.resolved; r != nil {
		transport = r.Transport
		c.GatewayPorts, c.PermitRemoteOpen = r.GatewayPorts, r.PermitRemoteOpen
		c.StreamLocalBindMask, c.StreamLocalBindUnlink = r.StreamLocalBindMask, r.StreamLocalBindUnlink
		c.ExitOnForwardFailure = r.ExitOnForwardFailure
		if len(c.Forwards) == 0 {
			c.Forwards = r.Forwards
		}
	}
	c.MaxChannels, c.MaxHeld = channelLimits(t, transport, len(c.Forwards), descriptors())
	return c
}

// sameLink says whether both settings make the same link, so that no new one is needed.
func (s settings) sameLink(o settings) bool {
	same := func(a, b tunnelfile.Setting) bool { return a.Key == b.Key && a.Value == b.Value }
	return s.tunnel.Destination == o.tunnel.Destination && s.tunnel.Transport == o.tunnel.Transport &&
		s.tunnel.NoDelay == o.tunnel.NoDelay &&
		slices.EqualFunc(s.tunnel.SSH, o.tunnel.SSH, same) &&
		(s.resolved == nil) == (o.resolved == nil)
}

// server is the server's "host:port" for people, or the destination if it is not resolved.
func (s settings) server() string {
	if s.resolved == nil {
		return s.tunnel.Destination
	}
	return net.JoinHostPort(s.resolved.HostName, strconv.Itoa(s.resolved.Port))
}

// fileStamp changes when the modification time or the size of the tunnel file or a drop-in changes.
func fileStamp(t tunnelfile.Tunnel) string {
	var stamp []byte
	for _, path := range append([]string{t.Path, t.Path + ".d"}, t.DropIns...) {
		if info, err := os.Stat(path); err == nil {
			stamp = fmt.Appendf(stamp, "%d %d", info.ModTime().UnixNano(), info.Size())
		}
		stamp = append(stamp, '\n')
	}
	return string(stamp)
}
