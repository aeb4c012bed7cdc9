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
		Summary: "watch tunnels and their traffic live, and control them with keys",
		About: `
It shows the state, received and sent bytes per second, the last measured round trip, open channels,
the throughput of the last minute as a sparkline with its own scale, and the status if there is room.
A narrow terminal shows fewer columns. Below the table it shows why the selected tunnel is not well,
and the next step. If the daemon stops, top says so, and goes on when the daemon is back.

  Enter, Esc  Open the page of the selected tunnel; go back.
  u, d, r, R  Bring it up, take it down, reconnect it, restart its unit.
  l, h  Show its log; show its history of a day, a week or a month (1, 2, 3).
  e, a, c  Edit its file, add a tunnel, check what would keep it from staying up.
  p, t  Answer its question, such as a passphrase or a code; show the host keys of its server.
  /, s  Filter the list; sort it by throughput, or by name again.
  ?  Show all keys.
  q, Ctrl-C  End top.

The mouse selects and opens tunnels, and presses the keys of the last line. Only tunnels on the
screen are asked for their counters.

If the output is not a terminal, or with --json, it prints one table, or one line, after SECONDS. With
-n it prints N of them. On a dumb terminal the tables follow each other.`,
		Examples: []verb.Example{
			{Command: "holdfast top", Does: "all tunnels, every second"},
			{Command: "holdfast top -d 5 -n 12 web", Does: "web, every five seconds, for a minute"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			seconds := f.Float64("d", 1, "measure every `SECONDS`")
			times := f.Int("n", 0, "end after `N` tables; the last one stays on the screen")
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
		return advice.Misuse{Message: fmt.Sprintf("-d %v: must be from %v seconds to one day", seconds, leastDelay.Seconds())}
	case times < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: must not be negative", times)}
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
