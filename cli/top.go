package cli

import (
	"flag"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/top"
)

// leastDelay is how fast top may be asked to be.
const leastDelay = 100 * time.Millisecond

func topVerb() verb {
	return verb{
		name: "top", args: "[NAME…]", group: looking,
		summary: "what goes through tunnels, live",
		about: `
State, bytes per second received and sent, the last measured round trip, open channels, the
throughput of the last minute as a sparkline of its own scale, and the status where there is room. A
narrow terminal shows fewer columns. When the daemon goes away it says so, and goes on when it is
back.

  s  Sorts by throughput, or by name again.
  q, Ctrl-C  End it.

Where the output is no terminal, or with --json, there is one table, or one line, after SECONDS;
with -n there are N. On a dumb terminal one follows the other.`,
		examples: []example{
			{"holdfast top", "all tunnels, each second"},
			{"holdfast top -d 5 -n 12 web", "web, each five seconds, for a minute"},
		},
		setup: func(f *flag.FlagSet) command {
			seconds := f.Float64("d", 1, "look each so many `SECONDS`")
			times := f.Int("n", 0, "end after `N` tables, and leave the last one")
			return func(s *session, names []string) error { return s.top(names, *seconds, *times) }
		},
		words: manyNames,
	}
}

// top shows what goes through tunnels, again and again.
func (s *session) top(names []string, seconds float64, times int) error {
	delay := time.Duration(seconds * float64(time.Second))
	switch {
	case delay < leastDelay || delay > 24*time.Hour:
		return advice.Misuse{Message: fmt.Sprintf("-d %v: seconds, %v at least", seconds, leastDelay.Seconds())}
	case times < 0:
		return advice.Misuse{Message: fmt.Sprintf("-n %d: how often?", times)}
	}
	w, err := s.watch(names)
	if err != nil {
		return err
	}
	o := top.Options{
		Client: w.client, First: w.first, Snapshots: w.snapshots, Patterns: names, Delay: delay, Times: times,
		Terminal: s.out.terminal, Screen: s.out.screen, Width: s.out.width, Look: s.out.look,
		Print: s.out.rows, Written: s.out.unwritten,
		Explain: func(err error) string { message, _ := s.explain(err); return message },
	}
	if s.json {
		o.JSON = func(v any) error { return s.out.json(v, true) }
	}
	return top.Run(s.ctx, o)
}
