package tunnel

import (
	"context"
	"errors"
	"sync"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// Statistics asks all tunnels at once what they counted, since one that hangs takes the daemon
// a second. Those that do not run, or went away in between, are left out. It fails where the
// daemon does not answer.
func Statistics(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
	var (
		mu      sync.Mutex
		asked   sync.WaitGroup
		failed  error
		counted = make(map[string]dbusapi.Statistics)
	)
	for _, t := range tunnels {
		asked.Go(func() {
			s, err := client.Statistics(ctx, t.Name)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, listing.ErrNoSuchTunnel):
			case err != nil:
				failed = err
			case !s.Empty():
				counted[t.Name] = s
			}
		})
	}
	asked.Wait()
	return counted, failed
}
