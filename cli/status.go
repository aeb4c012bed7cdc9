package cli

import (
	"cmp"
	"errors"
	"flag"
	"slices"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

func statusVerb() verb.Verb {
	return verb.Verb{
		Name: "status", Args: "[NAME…]", Group: verb.Looking,
		Summary: "all there is to know of a tunnel",
		About: `
State and since when, the server, each forward, traffic, round-trip time, unit and file; and what
to do where the tunnel is not well. Without a NAME, one line each below the version of the daemon
and the state of the network.

The exit status is 4 where a tunnel that was named is not up, degraded or listening.

With --waybar it prints a line of JSON for waybar-custom(5) and its like, whose class is up,
working, attention, offline, none or absent.`,
		Examples: []verb.Example{
			{Command: "holdfast status web", Does: "all there is to know of web"},
			{Command: "holdfast status --watch", Does: "the state of all tunnels, shown again at each change"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			watch := f.Bool("watch", false, "show it again whenever something differs")
			waybar := f.Bool("waybar", false, "a line of JSON for bars")
			return func(s *session.Session, names []string) error { return status(s, names, *watch, *waybar) }
		},
		Words: verb.ManyNames,
	}
}

// status prints all about the named tunnels, or the daemon and a line for each tunnel.
func status(s *session.Session, names []string, watch, waybar bool) error {
	if waybar && s.JSON {
		return advice.Misuse{Message: "--json or --waybar, not both; --waybar is JSON already"}
	}
	client, err := s.Daemon()
	if waybar && errors.Is(err, dbusapi.ErrNoBus) {
		return cmp.Or(s.Out.JSON(waybarOf(dbusapi.Snapshot{}), true), err)
	}
	if err != nil {
		return err
	}
	count := tunnel.Statistics
	if s.JSON && len(names) == 0 { // ask for all counters while the list is being sent
		count = tunnel.StatisticsOfAll(s.Ctx, client)
	}
	snapshots, err := client.Watch(s.Ctx)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		snapshot, ok := <-snapshots
		switch {
		case !ok && s.Ctx.Err() != nil:
			return nil
		case !ok:
			return dbusapi.ErrNoBus
		case !snapshot.Running && !watch && !waybar:
			return snapshot.Err
		}
		if waybar {
			err = showWaybar(s, client, snapshot, names, first)
		} else {
			err = showStatus(s, client, snapshot, names, count, watch, first)
			count = tunnel.Statistics
		}
		if err = cmp.Or(err, s.Out.Unwritten()); err != nil || !watch {
			return err
		}
	}
}

// showStatus prints one snapshot. Without watch it returns session.ErrNotRunning if a named tunnel does
// not run.
func showStatus(s *session.Session, client *dbusapi.Client, snapshot dbusapi.Snapshot, names []string, count tunnel.Counter, watch, first bool) error {
	tunnels, err := tunnel.Named(s.Ctx, client, snapshot, names)
	if err != nil && (!watch || first && snapshot.Running) {
		return err
	}
	var counted map[string]dbusapi.Statistics
	if s.JSON || len(names) > 0 {
		if counted, err = count(s.Ctx, client, tunnels); err != nil && !watch {
			return err
		}
	}
	switch {
	case s.JSON:
		j := jsonout.Status{Daemon: jsonout.DaemonOf(snapshot), Tunnels: jsonout.TunnelsOf(tunnels)}
		for i, t := range j.Tunnels {
			if statistics, ok := counted[t.Name]; ok {
				j.Tunnels[i].Statistics = jsonout.StatisticsOf(statistics)
			}
		}
		if err := s.Out.JSON(j, watch); err != nil {
			return err
		}
	default:
		if watch {
			s.Out.Home()
		}
		if len(names) > 0 { // leave out problems in files of other tunnels
			snapshot.Global.Problems = slices.DeleteFunc(slices.Clone(snapshot.Global.Problems), func(p tunnelfile.Problem) bool {
				name, _ := tunnelfile.NameOfFile(p.Path)
				_, named := listing.Find(tunnels, name)
				return !named
			})
		}
		showDaemon(s, snapshot)
		if len(names) == 0 {
			if len(tunnels) > 0 {
				s.Out.Line("")
				s.Out.Rows(tunnel.Table(tunnels, time.Now(), false))
				s.Out.Hint(whoNeedsYou(tunnels))
			}
		} else {
			for _, t := range tunnels {
				s.Out.Line("")
				s.Out.Rows(tunnel.Page(t, counted[t.Name], time.Now()))
				s.Out.Hint(tunnel.Hint(t))
			}
		}
	}
	if !s.JSON {
		s.Out.Hint(tunnel.HintOtherProgram(snapshot.Global.Version, tunnels))
	}
	if len(names) > 0 && slices.ContainsFunc(tunnels, func(t listing.Tunnel) bool { return !tunnel.Running(t.State) }) && !watch {
		return session.ErrNotRunning
	}
	return nil
}

// showDaemon prints the daemon's version, the network and how many tunnels are up.
func showDaemon(s *session.Session, snapshot dbusapi.Snapshot) {
	if !snapshot.Running {
		s.Out.Line("holdfastd is not running; tunnels that are up stay up")
		return
	}
	g := snapshot.Global
	tally := listing.Count(snapshot.Tunnels)
	s.Out.Line("%s, network %s (%s): %d of %s up", "holdfastd "+g.Version, g.Network, g.NetworkSource, tally.Well, text.Count(tally.Wanted, "tunnel"))
	problems(s, g.Problems)
}
