package cli

import (
	"context"
	"sync"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
)

func removeVerb() verb {
	return verb{
		name: "remove", args: "NAME…", group: making,
		summary: "stop tunnels and delete their files",
		about:   "Drop-ins in NAME.tunnel.d go with the file. A name that does not exist leaves all others alone.",
		examples: []example{
			{"holdfast remove web", "stop web and delete its file"},
			{"holdfast remove 'test-*'", "likewise all whose names begin with test-"},
		},
		setup: plain((*session).remove),
		words: manyNames,
	}
}

// atOnce is how many tunnels are removed side by side.
const atOnce = 16

// remove stops tunnels and deletes their files.
func (s *session) remove(patterns []string) error {
	if len(patterns) == 0 {
		return advice.Misuse{Message: "which tunnels?"}
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	found, err := s.editable(ctx, client, patterns)
	if err != nil {
		return err
	}
	failed := s.removeAll(ctx, client, found)
	var removed []listing.Tunnel
	for i, t := range found {
		if failed[i] != nil {
			message, hint := s.explain(failed[i])
			s.out.failure(t.Name+" is not removed: "+message, hint)
			err = errSaid
			continue
		}
		removed = append(removed, t)
		if !s.json {
			s.out.line("Removed %s (%s)", t.Name, text.Tilde(t.FilePath))
		}
	}
	if s.json {
		if jsonErr := s.out.json(tunnelsAsJSON(removed), false); jsonErr != nil {
			return jsonErr
		}
	}
	return err
}

// removeAll removes tunnels side by side, and says of each why it could not.
func (s *session) removeAll(ctx context.Context, client *dbusapi.Client, all []listing.Tunnel) []error {
	failed := make([]error, len(all))
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, t := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			failed[i] = client.RemoveTunnel(ctx, t.Name)
		})
	}
	wait.Wait()
	return failed
}
