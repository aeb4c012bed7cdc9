package cli

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/logs"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/top"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
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
	rest := outside{s, w.Client}
	o := top.Options{
		Client: w.Client, First: w.First, Snapshots: w.Snapshots, Patterns: names, Delay: delay, Times: times,
		Terminal: s.Out.Terminal, Screen: s.Out.Screen, Width: s.Out.Width, Look: s.Out.Look,
		Print: s.Out.Rows, Written: s.Out.Unwritten,
		Explain: func(err error) string { message, _ := s.Explain(err); return message },
		Call:    rest.call, Verb: rest.verb, Log: rest.log, History: rest.history,
	}
	if s.JSON {
		o.JSON = func(v any) error { return s.Out.JSON(v, true) }
	}
	return top.Run(s.Ctx, o)
}

// outside is what the window of package top needs from the rest of the program.
type outside struct {
	*session.Session
	client *dbusapi.Client
}

// call asks the daemon to do what a verb does. It does not wait for the tunnel's state.
func (o outside) call(ctx context.Context, verb, name string) error {
	switch verb {
	case "up":
		return o.client.Start(ctx, name)
	case "down":
		return o.client.Stop(ctx, name)
	case "reconnect":
		return o.client.Reconnect(ctx, name)
	}
	return o.client.Restart(ctx, name)
}

// verb is a command that runs this program with a verb.
func (o outside) verb(verb, name string) *exec.Cmd {
	args := []string{verb}
	if o.System {
		args = []string{"--system", verb}
	}
	if name != "" {
		args = append(args, name)
	}
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return exec.Command(program, args...)
}

// recentLines is how many earlier lines of a log are shown.
const recentLines = 200

// log passes on the recent lines of a tunnel's log, then new ones.
func (o outside) log(ctx context.Context, name string, line func(func(width int) []layout.Line)) error {
	q := logs.Query{Names: []string{name}, System: o.System, Follow: true, Lines: recentLines}
	return logs.Read(ctx, q, func(l logs.Line) error {
		line(func(width int) []layout.Line { return l.Tell(0, width) })
		return nil
	})
}

// history is the history of one tunnel, laid out.
func (o outside) history(ctx context.Context, name, since string) ([]layout.Block, error) {
	report, err := history.Read(ctx, history.Query{Since: since, System: o.System, Tunnels: knownTunnels(o.Session), Patterns: []string{name}})
	if err != nil {
		return nil, err
	}
	return report.Blocks(o.Out.Width), nil
}
