package cli

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/top"
	"github.com/holdfast/holdfast/cli/verb"
)

// leastDelay is the shortest allowed time between two tables.
const leastDelay = 100 * time.Millisecond

func topVerb() verb.Verb {
	return verb.Verb{
		Name: "top", Args: "[NAME…]", Group: verb.Looking,
		Summary: "tunnels and what goes through them, live, with keys to do something about them",
		About: `
State, bytes per second received and sent, the last measured round trip, open channels, the
throughput of the last minute as a sparkline of its own scale, and the status where there is room. A
narrow terminal shows fewer columns. Below it stands why the selected tunnel is not well, and the
next step. When the daemon goes away it says so, and goes on when it is back.

  Enter, Esc  Opens all there is about the selected tunnel, and goes back.
  u, d, r, R  Bring it up, take it down, reconnect it, restart its unit.
  l, h  Its log, which goes on; its history of a day, a week or a month (1, 2, 3).
  e, a, c  Edit its file, add a tunnel, check what would keep it from staying up.
  p, t  Answer what it asks, a passphrase or a code; look at the host keys of its server.
  /, s  Filter the list; sort it by throughput, or by name again.
  ?  All keys.
  q, Ctrl-C  End it.

The mouse selects and opens tunnels, and presses the keys of the last line. Only tunnels that are
shown are asked for their counters.

Where the output is no terminal, or with --json, there is one table, or one line, after SECONDS;
with -n there are N. On a dumb terminal one follows the other.`,
		Examples: []verb.Example{
			{Command: "holdfast top", Does: "all tunnels, each second"},
			{Command: "holdfast top -d 5 -n 12 web", Does: "web, each five seconds, for a minute"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			seconds := f.Float64("d", 1, "look each so many `SECONDS`")
			times := f.Int("n", 0, "end after `N` tables, and leave the last one")
			return func(s *session.Session, names []string) error { return showTop(s, names, *seconds, *times) }
		},
		Words: verb.ManyNames,
	}
}

// showTop runs the window, or prints tables.
func showTop(s *session.Session, names []string, seconds float64, times int) error {
	delay := time.Duration(seconds * float64(time.Second))
	switch {
	case delay < leastDelay || delay > 24*time.Hour:
		return advice.Misuse{Message: fmt.Sprintf("-d %v: seconds, %v at least", seconds, leastDelay.Seconds())}
	case times < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: how often?", times)}
	}
	s.Polkit = nil // the window owns the terminal
	w, err := s.Watch(names)
	if err != nil {
		return err
	}
	return top.Run(top.Options{
		Session: s, Watched: w, Patterns: names, Delay: delay, Times: times,
		History: func(ctx context.Context, name, since string) ([]layout.Block, error) {
			q := history.Query{Since: since, System: s.System, Tunnels: knownTunnels(s), Patterns: []string{name}}
			report, err := history.Read(ctx, q)
			if err != nil {
				return nil, err
			}
			return report.Blocks(s.Out.Width), nil
		},
	})
}
