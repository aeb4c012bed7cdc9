package session

import (
	"cmp"

	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Snapshot returns the client of the daemon, and the daemon's state as it is now.
func (s *Session) Snapshot() (*dbusapi.Client, dbusapi.Snapshot, error) {
	client, err := s.Daemon()
	if err != nil {
		return nil, dbusapi.Snapshot{}, err
	}
	now, err := client.Snapshot(s.Ctx)
	return client, now, err
}

// Watched is the daemon's state and its changes.
type Watched struct {
	Client    *dbusapi.Client
	First     dbusapi.Snapshot
	Snapshots <-chan dbusapi.Snapshot // the states after First
	Named     []listing.Tunnel        // the tunnels that the patterns match
}

// Watch starts to watch the daemon and finds the tunnels that the patterns name. It fails if the daemon
// does not run.
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

// InterruptedOr is the context's error after Ctrl-C, else err, else dbusapi.ErrNoBus.
func (s *Session) InterruptedOr(err error) error {
	return cmp.Or(s.Ctx.Err(), err, error(dbusapi.ErrNoBus))
}
