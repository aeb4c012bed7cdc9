package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/flags"
	"github.com/holdfast/holdfast/cli/journalctl"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/logs"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/listing"
)

func logsVerb() verb.Verb {
	return verb.Verb{
		Name: "logs", Args: "NAME…", Group: verb.Looking,
		Summary: "show the journal of tunnels",
		About: `
The log has what tunnels and the daemon wrote, and what systemd did with the units, in the order of
time. A state and its reason are shown in words. On a terminal, warnings and errors have a colour.
With --json the entries are those of journalctl(1), with all their fields.`,
		Examples: []verb.Example{
			{Command: "holdfast logs -n 20 web", Does: "the last 20 lines of web"},
			{Command: "holdfast logs -f --since=-10min @work", Does: "all tunnels with the tag work, from ten minutes ago on"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			var q logs.Query
			f.BoolVar(&q.Follow, "follow", false, "also print new entries as they come")
			f.IntVar(&q.Lines, "lines", 0, "only the last `N` lines")
			f.StringVar(&q.Since, "since", "", "only since `WHEN`, as in systemd.time(7): yesterday, -2h")
			flags.Alias(f, "f", "follow")
			flags.Alias(f, "n", "lines")
			return func(s *session.Session, patterns []string) error {
				q.System = s.System
				return showLogs(s, q, patterns)
			}
		},
		Words: verb.ManyNames,
	}
}

// showLogs prints the journal of tunnels. With --json the process becomes journalctl(1).
func showLogs(s *session.Session, q logs.Query, patterns []string) error {
	switch {
	case len(patterns) == 0:
		return advice.Misuse{Message: "which tunnels?"}
	case q.Lines < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: must not be negative", q.Lines)}
	}
	var err error
	if q.Since != "" {
		if _, err = journalctl.Timestamp(s.Ctx, q.Since); err != nil {
			return err
		}
	}
	if q.Names, err = withJournal(s, patterns); err != nil {
		return err
	}
	if s.JSON {
		program, err := exec.LookPath("journalctl")
		if err != nil {
			return err
		}
		s.Close()
		args := append([]string{program, "--no-pager", "--quiet", "--output=json"}, q.Arguments()...)
		return fmt.Errorf("%s: %w", program, syscall.Exec(program, args, os.Environ()))
	}
	name := 0
	if len(q.Names) > 1 {
		name = layout.Width(strings.Join(q.Names, "\n"))
	}
	err = logs.Read(s.Ctx, q, func(l logs.Line) error {
		s.Out.Lines(l.Tell(name, s.Out.Width))
		return s.Out.Unwritten()
	})
	if s.Ctx.Err() != nil { // Ctrl-C ends following and is no error
		return nil
	}
	return err
}

// withJournal returns the names of the tunnels that the patterns match. It fails for a tunnel that does
// not exist: its journal may, but a mistyped name is more likely. If the daemon does not answer, it
// returns the patterns as names.
func withJournal(s *session.Session, patterns []string) ([]string, error) {
	_, found, err := s.Editable(patterns)
	switch {
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return nil, err
	case err != nil:
		return patterns, nil
	}
	return listing.Names(found), nil
}
