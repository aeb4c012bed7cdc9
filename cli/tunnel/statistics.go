package tunnel

import (
	"context"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Statistics returns the counters of these tunnels. Those that do not run are missing.
func Statistics(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
	if len(tunnels) == 0 {
		return nil, nil // StatisticsOf without names returns all
	}
	return client.StatisticsOf(ctx, listing.Names(tunnels)...)
}
