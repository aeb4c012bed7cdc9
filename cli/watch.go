package cli

import (
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// watched is what the daemon says, from the beginning.
type watched struct {
	client    *dbusapi.Client
	first     dbusapi.Snapshot
	snapshots <-chan dbusapi.Snapshot // what comes after
	named     []listing.Tunnel        // that were asked for
}

// watch begins to watch the daemon, which must run, for the tunnels that patterns name.
func (s *session) watch(patterns []string) (w watched, err error) {
	if w.client, err = s.daemon(); err != nil {
		return w, err
	}
	if w.snapshots, err = w.client.Watch(s.ctx); err != nil {
		return w, err
	}
	if w.first = <-w.snapshots; !w.first.Running {
		return w, s.interruptedOr(w.first.Err)
	}
	ctx, cancel := s.call()
	defer cancel()
	w.named, err = tunnel.Named(ctx, w.client, w.first.Tunnels, w.first.Global.Problems, patterns)
	return w, err
}
