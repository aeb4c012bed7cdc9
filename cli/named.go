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
