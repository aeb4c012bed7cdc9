package session

import (
	"cmp"

	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Watched is what the daemon says, from the beginning.
type Watched struct {
	Client    *dbusapi.Client
	First     dbusapi.Snapshot
	Snapshots <-chan dbusapi.Snapshot // what comes after
	Named     []listing.Tunnel        // that were asked for
}

// Watch begins to watch the daemon, which must run, for the tunnels that patterns name.
func (s *Session) Watch(patterns []string) (w Watched, err error) {
	if w.Client, err = s.Daemon(); err != nil {
		return w, err
	}
	if w.Snapshots, err = w.Client.Watch(s.Ctx); err != nil {
		return w, err
	}
	if w.First = <-w.Snapshots; !w.First.Running {
		return w, s.InterruptedOr(w.First.Err)
	}
	w.Named, err = tunnel.Named(s.Ctx, w.Client, w.First, patterns)
	return w, err
}

// InterruptedOr is err, unless somebody pressed Ctrl-C.
func (s *Session) InterruptedOr(err error) error {
	return cmp.Or(s.Ctx.Err(), err, error(dbusapi.ErrNoBus))
}
