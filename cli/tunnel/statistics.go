package tunnel

import (
	"context"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Counter is a way to learn what tunnels counted.
type Counter func(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error)

// Statistics is what these tunnels counted, of those that run.
func Statistics(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
	if len(tunnels) == 0 {
		return nil, nil // no names would be all
	}
	var names []string
	for _, t := range tunnels {
		names = append(names, t.Name)
	}
	return client.StatisticsOf(ctx, names...)
}

// StatisticsOfAll asks all tunnels at once, and returns a Counter that has the answer once, for whichever are named.
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
