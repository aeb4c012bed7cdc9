package cli

import (
	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/dbusapi"
)

// history shows outages and availability, from the journal.
func (s *session) history(args []string) error {
	flags := s.flags()
	since := flags.String("since", "-7d", "")
	patterns, err := parse(flags, args)
	if err != nil {
		return err
	}
	report, err := history.Read(s.ctx, history.Query{Since: *since, System: s.system, Tunnels: s.knownTunnels(), Patterns: patterns})
	if err != nil {
		return err
	}
	if s.json {
		return s.out.json(report.JSON(), false)
	}
	s.out.blocks(report.Blocks())
	return nil
}

// knownTunnels are those of the daemon; none where it does not answer, which is no reason to show
// nothing.
func (s *session) knownTunnels() []dbusapi.Tunnel {
	client, err := s.daemon()
	if err != nil {
		return nil
	}
	ctx, cancel := s.call()
	defer cancel()
	tunnels, err := client.Tunnels(ctx)
	if err != nil {
		return nil
	}
	return tunnels
}
