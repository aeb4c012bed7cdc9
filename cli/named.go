package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// watched is what the daemon says, from the beginning.
type watched struct {
	client    *dbusapi.Client
	first     dbusapi.Snapshot
	snapshots <-chan dbusapi.Snapshot // what comes after
	named     []dbusapi.Tunnel        // that were asked for
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
	w.named, err = named(ctx, w.client, w.first.Tunnels, w.first.Global.Problems, patterns)
	return w, err
}

// named is matching, for whom a file counts that was written or mended just now, of which the
// daemon may not have heard: it reads the directories when it is asked for a tunnel that it does
// not know.
func named(ctx context.Context, client *dbusapi.Client, tunnels []dbusapi.Tunnel, problems []tunnelfile.Problem, patterns []string) ([]dbusapi.Tunnel, error) {
	found, err := matching(tunnels, problems, patterns)
	unknown := func(pattern string) bool {
		known := func(t dbusapi.Tunnel) bool { return t.Name == pattern }
		return !strings.ContainsAny(pattern, `*?[\`) && !slices.ContainsFunc(tunnels, known)
	}
	i := slices.IndexFunc(patterns, unknown)
	if err == nil || i < 0 {
		return found, err
	}
	if _, err := client.Tunnel(ctx, patterns[i]); err != nil && !errors.Is(err, dbusapi.ErrNoSuchTunnel) {
		return nil, err
	}
	now, listErr := client.Tunnels(ctx)
	global, globalErr := client.Global(ctx)
	if listErr != nil || globalErr != nil {
		return nil, cmp.Or(listErr, globalErr)
	}
	return matching(now, global.Problems, patterns)
}
