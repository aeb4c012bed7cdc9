package cli

import (
	"fmt"

	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// add makes a tunnel from what would follow ssh. Our own flags have two dashes, which
// none of ssh's have, and stand before NAME or right behind it.
func (s *session) add(args []string) error {
	start := tunnelfile.StartAuto
	name := ""
	for len(args) > 0 {
		switch arg := args[0]; {
		case arg == "--on-demand":
			start = tunnelfile.StartOnDemand
		case arg == "--manual":
			start = tunnelfile.StartManual
		case arg == "--json":
			s.json = true
		case arg == "--system":
			s.system = true
		case name == "" && (arg == "--help" || arg == "-h"):
			return errHelp
		case name == "" && strings.HasPrefix(arg, "-"):
			return advice.Misuse{Message: fmt.Sprintf("%s: the tunnel's NAME comes first", arg)}
		case name == "":
			name = arg
		default:
			return s.addFrom(name, start, args)
		}
		args = args[1:]
	}
	if name == "" {
		return advice.Misuse{Message: "which NAME shall the tunnel have?"}
	}
	return advice.Misuse{Message: "what would follow ssh? For example: -L 9090:localhost:9090 me@host"}
}

func (s *session) addFrom(name string, start tunnelfile.StartMode, sshArguments []string) error {
	// People paste the whole line.
	if program := sshArguments[0]; (program == "ssh" || program == "autossh") && len(sshArguments) > 1 {
		sshArguments = sshArguments[1:]
	}
	content, err := tunnelfile.FromSSHArguments(sshArguments)
	if err != nil {
		return advice.Misuse{Message: err.Error()}
	}
	if start != tunnelfile.StartAuto {
		if content, err = tunnelfile.Set(content, tunnelfile.SectionTunnel, "Start", []string{string(start)}); err != nil {
			return err
		}
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	if err := client.AddTunnel(ctx, name, content); err != nil {
		return err
	}
	t, err := client.Tunnel(ctx, name)
	if err != nil {
		return err
	}
	if s.json {
		return s.out.json(tunnelsAsJSON([]dbusapi.Tunnel{t}), false)
	}
	s.out.line("Wrote %s", text.Tilde(t.FilePath))
	switch start {
	case tunnelfile.StartAuto:
		s.out.line(s.ours("%s starts now and with every %s; holdfast status %s shows how it is"), name, s.nextStart(), name)
	case tunnelfile.StartOnDemand:
		s.out.line("%s listens now and with every %s; the SSH connection is made at the first connection", name, s.nextStart())
	case tunnelfile.StartManual:
		s.out.line(s.ours("holdfast up %s starts it"), name)
	}
	return nil
}
