package cli

import (
	"context"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
)

func versionVerb() verb.Verb {
	return verb.Verb{
		Name: "version", Group: verb.Other,
		Summary: "show the version of this program, and of the daemon if it is another",
		Examples: []verb.Example{
			{Command: "holdfast version", Does: "what is installed, and what runs"},
			{Command: "holdfast --json version", Does: "the same for scripts"},
		},
		Setup: verb.Plain(printVersion),
	}
}

// printVersion prints this program's version, and the daemon's if one answers.
func printVersion(s *session.Session, args []string) error {
	if len(args) > 0 {
		return advice.Misuse{Message: "version takes no names"}
	}
	daemon, older := "", ""
	running := jsonout.VersionsOf(nil)
	if client, err := s.Daemon(); err == nil {
		ctx, cancel := context.WithTimeout(s.Ctx, 5*time.Second)
		defer cancel()
		if global, err := client.Global(ctx); err == nil {
			daemon = global.Version
			if tunnels, err := client.Tunnels(ctx); err == nil {
				older, running = tunnel.HintOtherProgram(daemon, tunnels), jsonout.VersionsOf(tunnels)
			}
		}
	}
	if s.JSON {
		return s.Out.JSON(jsonout.Version{Version: s.Version, Daemon: daemon, Tunnels: running}, false)
	}
	s.Out.Line("holdfast %s", s.Version)
	if daemon != "" && daemon != s.Version {
		s.Out.Line("holdfastd %s is running; restart it to run the new version", daemon)
	}
	s.Out.Hint(older)
	return nil
}
