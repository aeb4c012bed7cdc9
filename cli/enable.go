package cli

import (
	"flag"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/tunnelfile"
)

func enableVerb() verb.Verb {
	return verb.Verb{
		Name: "enable", Args: "NAME…", Group: verb.Running,
		Summary: "make tunnels start by themselves (Start=auto)",
		About: `
They start now and with every login (the system's tunnels: with every boot). With --on-demand they
only listen. The SSH connection is made when somebody connects.`,
		Examples: []verb.Example{
			{Command: "holdfast enable web", Does: "web starts now and with every login"},
			{Command: "holdfast enable --on-demand db", Does: "db listens; the SSH connection is made at the first connection"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			onDemand := f.Bool("on-demand", false, "set Start=on-demand instead")
			return func(s *session.Session, names []string) error {
				if *onDemand {
					return setStart(s, names, tunnelfile.StartOnDemand)
				}
				return setStart(s, names, tunnelfile.StartAuto)
			}
		},
		Words: verb.ManyNames,
	}
}

func disableVerb() verb.Verb {
	return verb.Verb{
		Name: "disable", Args: "NAME…", Group: verb.Running,
		Summary: "make tunnels start only with holdfast up (Start=manual)",
		About:   "A tunnel stops now, unless somebody started it with holdfast up.",
		Examples: []verb.Example{
			{Command: "holdfast disable web", Does: "web does not start by itself any more"},
			{Command: "holdfast disable 'db-*'", Does: "the same for all tunnels whose names begin with db-"},
		},
		Setup: verb.Plain(func(s *session.Session, names []string) error { return setStart(s, names, tunnelfile.StartManual) }),
		Words: verb.ManyNames,
	}
}

// setStart sets Start= in the files of tunnels.
func setStart(s *session.Session, names []string, start tunnelfile.StartMode) error {
	found, err := setAll(s, names, []string{"Start=" + string(start)})
	for _, t := range found {
		if err == nil {
			s.SayStart(t.Name, start)
		}
	}
	return err
}
