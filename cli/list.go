package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// list shows one line a tunnel.
func (s *session) list(args []string) error {
	patterns, err := parse(s.flags(), args)
	if err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	all, err := client.Tunnels(ctx)
	if err != nil {
		return err
	}
	global, err := client.Global(ctx)
	if err != nil {
		return err
	}
	tunnels, err := tunnel.Named(ctx, client, all, global.Problems, patterns)
	if err != nil {
		return err
	}
	if s.json {
		return s.out.json(tunnelsAsJSON(tunnels), false)
	}
	if len(tunnels) == 0 && len(all) == 0 {
		s.out.line("No tunnels yet. This makes one:")
		s.out.line("%s", s.ours("  holdfast add web -L 9090:localhost:9090 me@host"))
	} else {
		s.out.rows(listing(tunnels, time.Now()))
	}
	s.problems(global.Problems)
	return nil
}

// listing is a table of tunnels, one a line.
func listing(tunnels []dbusapi.Tunnel, now time.Time) *layout.Table {
	table := &layout.Table{Columns: []layout.Column{
		{Name: "NAME", Shorten: true}, {Name: "STATE"}, {Name: "SINCE", GiveWay: 2}, {Name: "DESTINATION", Shorten: true, GiveWay: 1},
		{Name: "STATUS", Wrap: true, Min: 30, GiveWay: 3, Below: true},
	}}
	for _, t := range tunnels {
		since := ""
		if !t.StateSince.IsZero() {
			since = text.Ago(now.Sub(t.StateSince))
		}
		table.Add(layout.Plain(t.Name), layout.Painted(string(t.State), tunnel.Color(t.State)), layout.Plain(since),
			layout.Plain(text.Printable(t.Destination)), layout.Plain(text.Printable(t.Status)))
	}
	return table
}

// problems tells of tunnel files that could not be read.
func (s *session) problems(problems []tunnelfile.Problem) {
	if len(problems) == 0 {
		return
	}
	var files []string
	for _, p := range problems {
		if !slices.Contains(files, p.Path) {
			files = append(files, p.Path)
		}
	}
	s.out.note("")
	s.out.note("%s cannot be read as written; what ran before runs on:", text.Count(len(files), "file"))
	for _, p := range problems {
		p.Path = text.Tilde(p.Path)
		s.out.note("  %s", text.Printable(p.Error()))
	}
}

// status shows all there is about tunnels, or the daemon and one line each.
func (s *session) status(args []string) error {
	flags := s.flags()
	watch := flags.Bool("watch", false, "")
	waybar := flags.Bool("waybar", false, "")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	client, err := s.daemon()
	if *waybar && errors.Is(err, dbusapi.ErrNoBus) {
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
		case !snapshot.Running && !*watch && !*waybar:
			return snapshot.Err
		}
		if *waybar {
			err = s.showWaybar(client, snapshot, names, first)
		} else {
			err = s.showStatus(client, snapshot, names, *watch, first)
		}
		if err = cmp.Or(err, s.out.unwritten()); err != nil || !*watch {
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
	counted := make(map[string]dbusapi.Statistics)
	if s.json || len(names) > 0 {
		for _, t := range tunnels {
			// One that went away in between has none.
			if statistics, err := client.Statistics(ctx, t.Name); err == nil && !statistics.Empty() {
				counted[t.Name] = statistics
			}
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
				s.out.rows(listing(tunnels, time.Now()))
			}
		} else {
			for _, t := range tunnels {
				s.out.line("")
				s.out.rows(detail(t, counted[t.Name], time.Now()))
				s.out.hint(hintFor(t))
			}
		}
	}
	if len(names) > 0 && slices.ContainsFunc(tunnels, func(t dbusapi.Tunnel) bool { return !tunnel.Running(t.State) }) && !watch {
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
	up := 0
	for _, t := range snapshot.Tunnels {
		if tunnel.Running(t.State) {
			up++
		}
	}
	s.out.line("%s, network %s (%s): %d of %s up", "holdfastd "+g.Version, g.Network, g.NetworkSource, up, text.Count(len(snapshot.Tunnels), "tunnel"))
	s.problems(g.Problems)
}

// detail is all there is about one tunnel.
func detail(t dbusapi.Tunnel, s dbusapi.Statistics, now time.Time) *layout.Table {
	page := layout.Page()
	row := func(name, content string, color layout.Color) {
		page.Row(name, layout.Painted(text.Printable(content), color))
	}
	row("Tunnel", t.Name, layout.Bold)
	if t.Description != "" && t.Description != t.Destination {
		row("About", t.Description, "")
	}
	state := tunnel.Line(t)
	if !t.StateSince.IsZero() {
		state += fmt.Sprintf(", since %s (%s)", t.StateSince.Local().Format("2006-01-02 15:04:05"), text.Ago(now.Sub(t.StateSince)))
	}
	row("State", state, tunnel.Color(t.State))
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
	row("Unit", t.Unit, "")
	row("File", text.Tilde(t.FilePath), "")
	return page
}
