package cli

import (
	"context"
	"time"
)

// version tells this program's version, and the daemon's where one runs or can be started.
func (s *session) version(args []string) error {
	if _, err := parse(s.flags(), args); err != nil {
		return err
	}
	daemon := ""
	if client, err := s.daemon(); err == nil {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		if global, err := client.Global(ctx); err == nil {
			daemon = global.Version
		}
	}
	if s.json {
		return s.out.json(versionJSON{s.Version, daemon}, false)
	}
	s.out.line("holdfast %s", s.Version)
	if daemon != "" && daemon != s.Version {
		s.out.line("holdfastd %s, which runs; restart it to have the new one", daemon)
	}
	return nil
}
