package cli

import (
	"cmp"
	"errors"
	"flag"
	"slices"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
)

func statusVerb() verb {
	return verb{
		name: "status", args: "[NAME…]", group: looking,
		summary: "all there is to know of a tunnel",
		about: `
State and since when, the server, each forward, traffic, round-trip time, unit and file; and what
to do where the tunnel is not well. Without a NAME, one line each below the version of the daemon
and the state of the network.

The exit status is 4 where a tunnel that was named is not up, degraded or listening.

With --waybar it prints a line of JSON for waybar-custom(5) and its like, whose class is up,
working, attention, offline, none or absent.`,
		examples: []example{
			{"holdfast status web", "all there is to know of web"},
			{"holdfast status --watch", "the state of all tunnels, shown again at each change"},
		},
		setup: func(f *flag.FlagSet) command {
			watch := f.Bool("watch", false, "show it again whenever something differs")
			waybar := f.Bool("waybar", false, "a line of JSON for bars")
			return func(s *session, names []string) error { return s.status(names, *watch, *waybar) }
		},
		words: manyNames,
	}
}

// status shows all there is about tunnels, or the daemon and one line each.
func (s *session) status(names []string, watch, waybar bool) error {
	if waybar && s.json {
		return advice.Misuse{Message: "--json or --waybar, not both; --waybar is JSON already"}
	}
	client, err := s.daemon()
	if waybar && errors.Is(err, dbusapi.ErrNoBus) {
		return cmp.Or(s.out.json(waybarOf(dbusapi.Snapshot{}), true), err)
	}
	if err != nil {
		return err
	}
	snapshots, err := client.Watch(s.ctx)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		snapshot, ok := <-snapshots
		switch {
		case !ok && s.ctx.Err() != nil:
			return nil
		case !ok:
			return dbusapi.ErrNoBus
		case !snapshot.Running && !watch && !waybar:
			return snapshot.Err
		}
		if waybar {
			err = s.showWaybar(client, snapshot, names, first)
		} else {
			err = s.showStatus(client, snapshot, names, watch, first)
		}
		if err = cmp.Or(err, s.out.unwritten()); err != nil || !watch {
			return err
		}
	}
}

// showStatus shows one snapshot. Without watch, errNotRunning says that one of the named
// tunnels does not run.
func (s *session) showStatus(client *dbusapi.Client, snapshot dbusapi.Snapshot, names []string, watch, first bool) error {
	ctx, cancel := s.call()
	defer cancel()
	tunnels, err := tunnel.Named(ctx, client, snapshot.Tunnels, snapshot.Global.Problems, names)
	if err != nil && (!watch || first && snapshot.Running) {
		return err
	}
	var counted map[string]dbusapi.Statistics
	if s.json || len(names) > 0 {
		if counted, err = tunnel.Statistics(ctx, client, tunnels); err != nil && !watch {
			return err
		}
	}
	switch {
	case s.json:
		j := statusJSON{Daemon: daemonAsJSON(snapshot), Tunnels: tunnelsAsJSON(tunnels)}
		for i, t := range j.Tunnels {
			if statistics, ok := counted[t.Name]; ok {
				j.Tunnels[i].Statistics = statisticsAsJSON(statistics)
			}
		}
		if err := s.out.json(j, watch); err != nil {
			return err
		}
	default:
		if watch {
			s.out.home()
		}
		s.showDaemon(snapshot)
		if len(names) == 0 {
			if len(tunnels) > 0 {
				s.out.line("")
				s.out.rows(tunnel.Table(tunnels, time.Now(), false))
				s.out.hint(whoNeedsYou(tunnels))
			}
		} else {
			for _, t := range tunnels {
				s.out.line("")
				s.out.rows(tunnel.Page(t, counted[t.Name], time.Now()))
				s.out.hint(tunnel.Hint(t))
			}
		}
	}
	if !s.json {
		s.out.hint(hintOtherProgram(snapshot.Global.Version, tunnels))
	}
	if len(names) > 0 && slices.ContainsFunc(tunnels, func(t listing.Tunnel) bool { return !tunnel.Running(t.State) }) && !watch {
		return errNotRunning
	}
	return nil
}

// showDaemon shows what there is to say of the daemon.
func (s *session) showDaemon(snapshot dbusapi.Snapshot) {
	if !snapshot.Running {
		s.out.line("holdfastd is not running; tunnels that are up stay up")
		return
	}
	g := snapshot.Global
	tally := listing.Count(snapshot.Tunnels)
	s.out.line("%s, network %s (%s): %d of %s up", "holdfastd "+g.Version, g.Network, g.NetworkSource, tally.Well, text.Count(tally.Wanted, "tunnel"))
	s.problems(g.Problems)
}
