package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

func logsVerb() verb {
	return verb{
		name: "logs", args: "NAME…", group: looking,
		summary: "the journal of tunnels, by journalctl(1)",
		about:   "Of several tunnels the lines are in the order in which they were written.",
		examples: []example{
			{"holdfast logs -n 20 web", "the last 20 lines of web"},
			{"holdfast logs -f --since=-10min @work", "what all tunnels with the tag work say, from ten minutes ago on"},
		},
		setup: func(f *flag.FlagSet) command {
			var o logOptions
			f.BoolVar(&o.follow, "follow", false, "go on with what comes")
			f.IntVar(&o.lines, "lines", 0, "only the last `N` lines")
			f.StringVar(&o.since, "since", "", "from `WHEN` on, as in systemd.time(7): yesterday, -2h")
			flags.Alias(f, "f", "follow")
			flags.Alias(f, "n", "lines")
			return func(s *session, patterns []string) error {
				o.json, o.system = s.json, s.system
				return s.logs(o, patterns)
			}
		},
		words: manyNames,
	}
}

// logOptions are the flags of logs.
type logOptions struct {
	follow, json, system bool
	lines                int
	since                string
}

// logs becomes journalctl(1) on the units of tunnels.
func (s *session) logs(o logOptions, patterns []string) error {
	switch {
	case len(patterns) == 0:
		return advice.Misuse{Message: "which tunnels?"}
	case o.lines < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: how many lines?", o.lines)}
	}
	// One that is not there has a journal perhaps, but a wrong name is more likely. A
	// daemon that does not answer is no reason to show nothing.
	names := patterns
	if client, err := s.daemon(); err == nil {
		ctx, cancel := s.call()
		defer cancel()
		found, err := s.editable(ctx, client, patterns)
		if errors.Is(err, listing.ErrNoSuchTunnel) {
			return err
		}
		if err == nil {
			names = nil
			for _, t := range found {
				names = append(names, t.Name)
			}
		}
	}
	program, err := exec.LookPath("journalctl")
	if err != nil {
		return err
	}
	s.close()
	err = syscall.Exec(program, journalctl(names, o), os.Environ())
	return fmt.Errorf("%s: %w", program, err)
}

// journalctl is the command line that shows the journal of tunnels.
func journalctl(names []string, o logOptions) []string {
	argv := []string{"journalctl"}
	if !o.system {
		argv = append(argv, "--user")
	}
	for _, name := range names {
		argv = append(argv, "-u", tunnelfile.ServiceName(name))
	}
	if o.follow {
		argv = append(argv, "-f")
	}
	if o.lines > 0 {
		argv = append(argv, "-n", strconv.Itoa(o.lines))
	}
	if o.since != "" {
		argv = append(argv, "--since", o.since)
	}
	if o.json {
		argv = append(argv, "-o", "json")
	}
	return argv
}
