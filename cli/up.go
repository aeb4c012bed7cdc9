package cli

import (
	"context"
	"errors"
	"flag"
	"sync"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// action is what up, down, restart or reconnect does.
type action struct {
	call func(client *dbusapi.Client, ctx context.Context, patterns ...string) error
	// done says whether a tunnel is as wanted. A snapshot from before asked, the time of the
	// request, may still arrive.
	done       func(now listing.Tunnel, asked time.Time) bool
	goal       string // for people: "is up"
	goalMissed string // for people: "is not up"
	stops      bool   // down: a blocked or failed tunnel is no reason to end the wait
	mustBeWell bool   // up: degraded is not enough
	restarts   bool   // the tunnel stops before it starts, so being stopped is expected
	poll       bool   // no signal may come when it is done, so ask for the statistics repeatedly
	handsOver  bool   // rolling: the old process may go on, and the statistics say why

	rolling *action // with --rolling; nil if there is no such flag
}

const aboutWaiting = `
It waits until this is done, and shows what happens meanwhile. If only a person, a file or a rule can
change something, the wait ends at once, and the reason and the next step are shown. Everything else
is waited for until --timeout. Then the exit status is 1, and the tunnel goes on trying in the
background. Ctrl-C ends the wait and changes nothing.`

func upVerb() verb.Verb {
	a := action{
		call: (*dbusapi.Client).Start,
		done: func(now listing.Tunnel, _ time.Time) bool { return established(now) },
		goal: "is up", goalMissed: "is not up",
		mustBeWell: true,
	}
	return a.verb(verb.Verb{
		Name:    "up",
		Summary: "start tunnels, and wait until they are up",
		About: aboutWaiting + `

In a terminal it asks for what only a person can answer, such as a passphrase. It asks for the named
tunnels only.`,
		Examples: []verb.Example{
			{Command: "holdfast up web", Does: "start web and wait until all its forwards are up"},
			{Command: "holdfast up --timeout=10m @work", Does: "start all tunnels with the tag work, and wait for ten minutes at most"},
		},
	})
}

func downVerb() verb.Verb {
	a := action{
		call: (*dbusapi.Client).Stop,
		done: func(now listing.Tunnel, _ time.Time) bool { return now.State == tunnelfile.Inactive },
		goal: "is down", goalMissed: "is not down",
		stops: true,
	}
	return a.verb(verb.Verb{
		Name:    "down",
		Summary: "stop tunnels",
		About: `
A tunnel stays down until holdfast up, or until the user manager starts again (for the system's
tunnels: until the next boot). A restart of the daemon does not start it. If $XDG_RUNTIME_DIR is full,
the daemon cannot store that: the tunnel stops, but starts again with the daemon, and the exit status
is 1. To keep a tunnel down for good, use holdfast disable.`,
		Examples: []verb.Example{
			{Command: "holdfast down web", Does: "stop web"},
			{Command: "holdfast down --all", Does: "stop all tunnels"},
		},
	})
}

func restartVerb() verb.Verb {
	a := action{
		call: (*dbusapi.Client).Restart,
		done: func(now listing.Tunnel, asked time.Time) bool {
			// Listening may be the state from before the restart, with the same StateSince.
			// It counts once stale has passed.
			return established(now) && (now.StateSince.After(asked) || now.State == tunnelfile.Listening && time.Since(asked) >= stale)
		},
		goal: "is up again", goalMissed: "is not up again",
		restarts: true,
		rolling:  rolling(),
	}
	return a.verb(verb.Verb{
		Name:    "restart",
		Summary: "stop and start tunnels; open connections are cut, except with --rolling",
		About: `
With --rolling no connection is refused or cut. A new process starts, of the program that is installed
now. It takes the listening sockets and makes its SSH connection while the old process serves. Open
connections then drain in the old process for up to five minutes. If the new process does not come up
within a minute, the old one goes on, and the reason is shown. At most four tunnels do this at a time.
A port on the server is free for a moment in between, about one round trip.
` + aboutWaiting,
		Examples: []verb.Example{
			{Command: "holdfast restart --rolling --all", Does: "run the new program everywhere after an upgrade"},
			{Command: "holdfast restart web", Does: "stop web and start it again"},
			{Command: "holdfast restart 'db-*'", Does: "restart all tunnels whose names begin with db-"},
		},
	})
}

// rolling is the action of restart --rolling.
func rolling() *action {
	return &action{
		call: (*dbusapi.Client).RestartRolling,
		done: func(now listing.Tunnel, asked time.Time) bool {
			return now.State == tunnelfile.Listening || established(now) && now.UpSince.After(asked)
		},
		goal: "runs in a new process", goalMissed: "does not run in a new process",
		poll: true, handsOver: true,
	}
}

func reconnectVerb() verb.Verb {
	a := action{
		call: (*dbusapi.Client).Reconnect,
		done: func(now listing.Tunnel, asked time.Time) bool {
			// A tunnel that waits for its first connection has no SSH connection to renew.
			return now.State == tunnelfile.Listening || established(now) && now.UpSince.After(asked)
		},
		goal: "has a new connection", goalMissed: "has no new connection",
		poll: true,
	}
	return a.verb(verb.Verb{
		Name:    "reconnect",
		Summary: "make a new SSH connection, then close the old one",
		About: `
Connections through the tunnel are not cut: they drain on the old SSH connection. If a tunnel has
several SSH connections (Connections=), they are renewed one after the other.
` + aboutWaiting,
		Examples: []verb.Example{
			{Command: "holdfast reconnect web", Does: "give web a new SSH connection"},
			{Command: "holdfast reconnect --all", Does: "new SSH connections for all, such as after a VPN came up"},
		},
	})
}

// established says whether a tunnel is up, or listens as it should until somebody connects. A tunnel
// that is not on demand also listens for a moment while its worker restarts, which does not count.
func established(t listing.Tunnel) bool {
	return tunnel.Running(t.State) && (t.State != tunnelfile.Listening || t.StartMode == tunnelfile.StartOnDemand)
}

// actOptions are the flags of up, down, restart and reconnect.
type actOptions struct {
	all, noWait bool
	timeout     time.Duration
}

// patience is the default of --timeout.
const patience = 90 * time.Second

// verb adds the common flags and arguments to v.
func (a action) verb(v verb.Verb) verb.Verb {
	v.Args, v.Group, v.Words = "NAME…|--all", verb.Running, verb.ManyNames
	v.Setup = func(f *flag.FlagSet) verb.Command {
		var o actOptions
		f.BoolVar(&o.all, "all", false, "all tunnels")
		f.BoolVar(&o.noWait, "no-wait", false, "do not wait")
		f.DurationVar(&o.timeout, "timeout", patience, "wait at most this `TIME`, as in 90s or 5m")
		roll := false
		if a.rolling != nil {
			f.BoolVar(&roll, "rolling", false, "hand over to a new process; no connection is refused or cut")
		}
		return func(s *session.Session, patterns []string) error {
			if roll {
				return act(s, o, patterns, *a.rolling)
			}
			return act(s, o, patterns, a)
		}
	}
	return v
}

// act makes the request, and waits until every tunnel is as wanted.
func act(s *session.Session, o actOptions, patterns []string, a action) error {
	switch {
	case len(patterns) == 0 && !o.all:
		return advice.Misuse{Message: "which tunnels? NAME… or --all"}
	case len(patterns) > 0 && o.all:
		return advice.Misuse{Message: "--all or names, not both"}
	case o.noWait && o.timeout != patience:
		return advice.Misuse{Message: "--no-wait or --timeout, not both"}
	case o.timeout <= 0:
		return advice.Misuse{Message: "--timeout " + o.timeout.String() + ": must be more than 0; --no-wait does not wait"}
	}
	watched, err := s.Watch(patterns)
	if err != nil {
		return err
	}
	client, first, before := watched.Client, watched.First, watched.Named
	if len(before) == 0 {
		s.Out.Note("No tunnels yet.")
		return nil
	}
	names := listing.Names(before)
	for _, t := range before {
		if _, there := first.Tunnel(t.Name); !there {
			first.Tunnels = append(first.Tunnels, t)
		}
	}
	agent, stopAsking := answer.Prompts(s, client, names)
	stopAsking = sync.OnceFunc(stopAsking)
	defer stopAsking()
	start := time.Now()
	if o.all {
		names = nil // also those added since
	}
	// ErrUnderWay: the request takes longer than the call may. Its result is awaited below.
	if err := a.call(client, s.Ctx, names...); err != nil && !errors.Is(err, listing.ErrUnderWay) {
		return err
	}
	if o.noWait {
		if s.JSON {
			return s.Out.JSON(jsonout.TunnelsOf(before), false)
		}
		return nil
	}
	w := newWait(s, a, client, before, start, o.timeout)
	err = w.run(first, watched.Snapshots)
	if agent.Typed != nil {
		stopAsking()
		answer.OfferToRemember(s, agent, w.ended)
	}
	return err
}
