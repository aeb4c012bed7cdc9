package session

import (
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Wrote prints that a tunnel's file was written. With --json it prints the tunnel.
func (s *Session) Wrote(client *dbusapi.Client, name string) error {
	t, err := client.Tunnel(s.Ctx, name)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.Out.JSON(jsonout.TunnelsOf([]listing.Tunnel{t}), false)
	}
	s.Out.Line("Wrote %s", text.Tilde(t.FilePath))
	return nil
}

// SayStart prints when a tunnel starts. With --json it prints nothing.
func (s *Session) SayStart(name string, start tunnelfile.StartMode) {
	switch {
	case s.JSON:
	case start == tunnelfile.StartAuto:
		s.Out.Line(s.Ours("%s starts now and with every %s; holdfast status %s shows how it is"), name, s.NextStart(), name)
	case start == tunnelfile.StartOnDemand:
		s.Out.Line("%s listens now and with every %s; the SSH connection is made at the first connection", name, s.NextStart())
	case start == tunnelfile.StartManual:
		s.Out.Line(s.Ours("holdfast up %s starts it"), name)
	}
}
