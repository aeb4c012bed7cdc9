package cli

import (
	"context"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
)

func versionVerb() verb {
	return verb{
		name: "version", group: other,
		summary: "the version of this program, and of the daemon where it is another",
		examples: []example{
			{"holdfast version", "what is installed, and what runs"},
			{"holdfast --json version", "likewise for scripts"},
		},
		setup: plain((*session).version),
	}
}

// version tells this program's version, and the daemon's where one runs or can be started.
func (s *session) version(args []string) error {
	if len(args) > 0 {
		return advice.Misuse{Message: "version takes no names"}
	}
	daemon, older := "", ""
	if client, err := s.daemon(); err == nil {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		if global, err := client.Global(ctx); err == nil {
			daemon = global.Version
			if tunnels, err := client.Tunnels(ctx); err == nil {
				older = hintOtherProgram(daemon, tunnels)
			}
		}
	}
	if s.json {
		return s.out.json(versionJSON{s.Version, daemon}, false)
	}
	s.out.line("holdfast %s", s.Version)
	if daemon != "" && daemon != s.Version {
		s.out.line("holdfastd %s, which runs; restart it to have the new one", daemon)
	}
	s.out.hint(older)
	return nil
}
