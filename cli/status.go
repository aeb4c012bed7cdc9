package cli

import (
	"cmp"
	"errors"
	"flag"
	"slices"
	"sync"
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
		Summary: "show everything about tunnels",
		About: `
It shows the state and since when, the server, each forward, traffic, round-trip time, unit and file,
and what to do if the tunnel is not well. Without a NAME it shows the version of the daemon, the state
of the network, and a line for each tunnel.

The exit status is 4 if a named tunnel is not up, degraded or listening.

With --waybar it prints a line of JSON for waybar-custom(5) and similar bars. Its class is up,
working, attention, offline, none or absent.`,
		Examples: []verb.Example{
			{Command: "holdfast status web", Does: "everything about web"},
			{Command: "holdfast status --watch", Does: "the state of all tunnels, shown again at each change"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			watch := f.Bool("watch", false, "show it again at each change")
			waybar := f.Bool("waybar", false, "print a line of JSON for bars")
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
	counts := func(tunnels []listing.Tunnel) (map[string]dbusapi.Statistics, error) {
		return tunnel.Statistics(s.Ctx, client, tunnels)
	}
	count := counts
	if s.JSON && len(names) == 0 { // ask for all counters while the list is being sent
		all := sync.OnceValues(func() (map[string]dbusapi.Statistics, error) { return client.StatisticsOf(s.Ctx) })
		go func() { _, _ = all() }()
		count = func([]listing.Tunnel) (map[string]dbusapi.Statistics, error) { return all() }
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
			count = counts
		}
		if err = cmp.Or(err, s.Out.Unwritten()); err != nil || !watch {
			return err
		}
	}
}

// counter returns the counters of tunnels.
type counter func([]listing.Tunnel) (map[string]dbusapi.Statistics, error)

// showStatus prints one snapshot. Without watch it returns session.ErrNotRunning if a named tunnel does
// not run.
func showStatus(s *session.Session, client *dbusapi.Client, snapshot dbusapi.Snapshot, names []string, count counter, watch, first bool) error {
	tunnels, err := tunnel.Named(s.Ctx, client, snapshot, names)
	if err != nil && (!watch || first && snapshot.Running) {
		return err
	}
	var counted map[string]dbusapi.Statistics
	if s.JSON || len(names) > 0 {
		if counted, err = count(tunnels); err != nil && !watch {
			return err
		}
	}
	if s.JSON {
		j := jsonout.Status{Daemon: jsonout.DaemonOf(snapshot), Tunnels: jsonout.TunnelsOf(tunnels)}
		for i, t := range j.Tunnels {
			if statistics, ok := counted[t.Name]; ok {
				j.Tunnels[i].Statistics = jsonout.StatisticsOf(statistics)
			}
		}
		if err := s.Out.JSON(j, watch); err != nil {
			return err
		}
	} else {
		if watch {
			s.Out.Home()
		}
		printStatus(s, snapshot, tunnels, len(names) > 0, counted)
	}
	if len(names) > 0 && slices.ContainsFunc(tunnels, func(t listing.Tunnel) bool { return !tunnel.Running(t.State) }) && !watch {
		return session.ErrNotRunning
	}
	return nil
}

// printStatus prints a page for each tunnel that was named. If none was, it prints a line for each.
func printStatus(s *session.Session, snapshot dbusapi.Snapshot, tunnels []listing.Tunnel, named bool, counted map[string]dbusapi.Statistics) {
	if named { // leave out problems in files of other tunnels
		snapshot.Global.Problems = slices.DeleteFunc(slices.Clone(snapshot.Global.Problems), func(p tunnelfile.Problem) bool {
			name, _ := tunnelfile.NameOfFile(p.Path)
			_, ok := listing.Find(tunnels, name)
			return !ok
		})
	}
	showDaemon(s, snapshot)
	switch {
	case named:
		for _, t := range tunnels {
			s.Out.Line("")
			s.Out.Rows(tunnel.Page(t, counted[t.Name], time.Now()))
			s.Out.Hint(tunnel.Hint(t))
		}
	case len(tunnels) > 0:
		s.Out.Line("")
		s.Out.Rows(tunnel.Table(tunnels, time.Now(), false))
		s.Out.Hint(whoNeedsYou(tunnels))
	}
	s.Out.Hint(tunnel.HintOtherProgram(snapshot.Global.Version, tunnels))
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
