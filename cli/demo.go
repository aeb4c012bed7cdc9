package cli

import (
	"flag"

	"github.com/holdfast/holdfast/cli/advice"
)

func demoVerb() verb {
	return verb{
		name: "demo", group: other,
		summary: "a throw-away server, a tunnel to it, a fault, a recovery, in a minute",
		about:   "Nothing of yours is touched, and nothing is left behind.",
		examples: []example{
			{"holdfast demo", "see what Holdfast does"},
			{"holdfast demo --foreground", "likewise without systemd"},
		},
		noJSON: "it is for people", noSystem: true,
		setup: func(f *flag.FlagSet) command {
			foreground := f.Bool("foreground", false, "without systemd: one holdfast-tunnel as a child process")
			programs := f.String("programs", "", "take holdfastd and holdfast-tunnel from `FOLDER`")
			return func(s *session, args []string) error {
				if len(args) > 0 {
					return advice.Misuse{Message: "demo takes no names"}
				}
				return s.Demo(s.ctx, DemoOptions{*foreground, *programs, s.out.look.Color})
			}
		},
	}
}
