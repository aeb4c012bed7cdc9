package tunnel

import (
	"context"
	"errors"
	"sync"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
)

// atOnce is how many questions are under way: a bus bounds the answers that a connection waits for,
// the system's to 128.
const atOnce = 64

// Statistics asks tunnels side by side what they counted, since one that hangs takes the daemon a
// second. Those that do not run, or went away in between, are left out. It fails where the
// daemon does not answer.
func Statistics(ctx context.Context, client *dbusapi.Client, tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
	var (
		mu      sync.Mutex
		asked   sync.WaitGroup
		failed  error
		counted = make(map[string]dbusapi.Statistics)
		slots   = make(chan struct{}, atOnce)
	)
	for _, t := range tunnels {
		slots <- struct{}{}
		asked.Go(func() {
			defer func() { <-slots }()
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
