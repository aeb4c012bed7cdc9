package cli

import (
	"sync"

	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
)

func removeVerb() verb.Verb {
	return verb.Verb{
		Name: "remove", Args: "NAME…", Group: verb.Making,
		Summary: "stop tunnels and delete their files",
		About:   "Drop-ins in NAME.tunnel.d are deleted too. If one of the names does not exist, nothing is removed.",
		Examples: []verb.Example{
			{Command: "holdfast remove web", Does: "stop web and delete its file"},
			{Command: "holdfast remove 'test-*'", Does: "the same for all tunnels whose names begin with test-"},
		},
		Setup: verb.Plain(remove),
		Words: verb.ManyNames,
	}
}

// atOnce is how many tunnels are removed in parallel. The daemon reads its folders once for calls that
// come together. A bus limits the pending replies of a connection; the system bus to 128.
const atOnce = 64

// remove stops tunnels and deletes their files.
func remove(s *session.Session, patterns []string) error {
	client, found, err := s.Editable(patterns)
	if err != nil {
		return err
	}
	failed := removeAll(s, client, found)
	var removed []listing.Tunnel
	for i, t := range found {
		if failed[i] != nil {
			message, hint := s.Explain(failed[i])
			s.Out.Failure(t.Name+" is not removed: "+message, hint)
			err = session.ErrPrinted
			continue
		}
		removed = append(removed, t)
		if !s.JSON {
			s.Out.Line("Removed %s (%s)", t.Name, text.Tilde(t.FilePath))
		}
	}
	if s.JSON {
		if jsonErr := s.Out.JSON(jsonout.TunnelsOf(removed), false); jsonErr != nil {
			return jsonErr
		}
	}
	return err
}

// removeAll removes tunnels in parallel. It returns an error or nil for each.
func removeAll(s *session.Session, client *dbusapi.Client, all []listing.Tunnel) []error {
	failed := make([]error, len(all))
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, t := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			failed[i] = client.RemoveTunnel(s.Ctx, t.Name)
		})
	}
	wait.Wait()
	return failed
}
