package cli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
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
				s.out.rows(tunnelTable(tunnels, time.Now(), false))
				s.out.hint(whoNeedsYou(tunnels))
			}
		} else {
			for _, t := range tunnels {
				s.out.line("")
				s.out.rows(detail(t, counted[t.Name], time.Now()))
				s.out.hint(s.hintFor(t))
			}
		}
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

// detail is all there is about one tunnel.
func detail(t listing.Tunnel, s dbusapi.Statistics, now time.Time) *layout.Table {
	page := layout.Page()
	row := func(name, content string, color layout.Color) {
		page.Row(name, layout.Painted(text.Printable(content), color))
	}
	row("Tunnel", t.Name, layout.Bold)
	if t.Description != "" && t.Description != t.Destination {
		row("About", t.Description, "")
	}
	row("State", tunnel.Line(t), tunnel.Color(t.State))
	if !t.StateSince.IsZero() {
		row("Since", fmt.Sprintf("%s (%s)", t.StateSince.Local().Format("2006-01-02 15:04:05"), text.Ago(now.Sub(t.StateSince))), "")
	}
	if t.State == tunnelfile.Retrying && !t.NextTry.IsZero() {
		row("Next try", t.NextTry.Local().Format("15:04:05"), "")
	}
	row("To", t.Destination, "")
	if s.Peer != "" || s.KeyExchange != "" {
		how := []string{s.Peer, s.Transport, s.KeyExchange, s.Cipher, s.HostKey}
		row("Server", strings.Join(slices.DeleteFunc(how, func(part string) bool { return part == "" }), ", "), "")
	}
	for i, f := range t.Forwards {
		name := ""
		if i == 0 {
			name = "Forwards"
		}
		content := fmt.Sprintf("%s %s → %s: %s", f.Kind, f.Listen, f.Target, f.State)
		if f.Message != "" {
			content += ", " + f.Message
		}
		row(name, content, tunnel.Color(f.State))
	}
	if !t.UpSince.IsZero() {
		row("Up since", fmt.Sprintf("%s (%s)", t.UpSince.Local().Format("2006-01-02 15:04:05"), text.Ago(now.Sub(t.UpSince))), "")
	}
	if !s.Empty() {
		row("Traffic", fmt.Sprintf("%s sent, %s received; channels: %d open, %d in all, %d waiting",
			text.Bytes(s.BytesSent), text.Bytes(s.BytesReceived), s.ChannelsOpen, s.ChannelsTotal, s.Held), "")
		link := text.Count(s.Reconnects, "reconnect")
		if s.ConnectionsWanted > 1 {
			link = fmt.Sprintf("%d of %d connections, %s", s.Connections, s.ConnectionsWanted, link)
		}
		if rtt := text.Milliseconds(s.RoundTripTime); rtt != "" {
			link = "round trip " + rtt + ", " + link
		}
		row("Link", link, "")
	}
	row("Start", string(t.StartMode), "")
	if len(t.Tags) > 0 {
		row("Tags", strings.Join(t.Tags, " "), "")
	}
	row("Unit", t.Unit, "")
	page.Row("File", layout.Cell{Text: text.Printable(text.Tilde(t.FilePath)), Link: layout.FileLink(t.FilePath)})
	return page
}
