package cli

import (
	"flag"
	"os"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/demo"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
)

func demoVerb() verb.Verb {
	return verb.Verb{
		Name: "demo", Group: verb.Other,
		Summary: "show a throw-away server, a tunnel to it, a fault and a recovery, in a minute",
		About:   "It touches nothing of yours, and leaves nothing behind.",
		Examples: []verb.Example{
			{Command: "holdfast demo", Does: "see what Holdfast does"},
			{Command: "holdfast demo --foreground", Does: "the same without systemd"},
		},
		NoJSON: "it is for people", NoSystem: true,
		Setup: func(f *flag.FlagSet) verb.Command {
			foreground := f.Bool("foreground", false, "without systemd: one holdfast-tunnel as a child process")
			programs := f.String("programs", "", "take holdfastd and holdfast-tunnel from `FOLDER`")
			return func(s *session.Session, args []string) error {
				if len(args) > 0 {
					return advice.Misuse{Message: "demo takes no names"}
				}
				return demo.Run(s.Ctx, demo.Options{Out: os.Stdout, Look: s.Out.Look, Foreground: *foreground, Programs: *programs})
			}
		},
	}
}
