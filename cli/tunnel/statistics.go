package tunnel

import (
	"context"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Counter returns the counters of tunnels.
type Counter func(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error)

// Statistics returns the counters of these tunnels. Those that do not run are missing.
func Statistics(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
	if len(tunnels) == 0 {
		return nil, nil // StatisticsOf without names returns all
	}
	return client.StatisticsOf(ctx, listing.Names(tunnels)...)
}

// StatisticsOfAll asks for all counters at once, in a goroutine. The returned Counter gives that answer
// and may be called once.
func StatisticsOfAll(ctx context.Context, client *dbusapi.Client) Counter {
	type answer struct {
		counted map[string]dbusapi.Statistics
		err     error
	}
	asked := make(chan answer, 1)
	go func() {
		counted, err := client.StatisticsOf(ctx)
		asked <- answer{counted, err}
	}()
	return func(ctx context.Context, _ *dbusapi.Client, _ []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
		select {
		case a := <-asked:
			return a.counted, a.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
