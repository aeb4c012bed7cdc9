package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// named is matching, for whom a file that was written just now counts, of which the daemon may
// not have heard: it reads the directories when it is asked for a tunnel that it does not know.
func named(ctx context.Context, client *dbusapi.Client, tunnels []dbusapi.Tunnel, problems []tunnelfile.Problem, patterns []string) ([]dbusapi.Tunnel, error) {
	found, err := matching(tunnels, problems, patterns)
	unknown := func(pattern string) bool {
		known := func(t dbusapi.Tunnel) bool { return t.Name == pattern }
		return !strings.ContainsAny(pattern, `*?[\`) && !slices.ContainsFunc(tunnels, known)
	}
	i := slices.IndexFunc(patterns, unknown)
	if !errors.Is(err, dbusapi.ErrNoSuchTunnel) || i < 0 {
		return found, err
	}
	if _, askErr := client.Tunnel(ctx, patterns[i]); askErr != nil {
		return nil, err
	}
	now, listErr := client.Tunnels(ctx)
	if listErr != nil {
		return nil, err
	}
	return matching(now, problems, patterns)
}
