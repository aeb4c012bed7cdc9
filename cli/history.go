package cli

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// historyDays is how far back history looks where nobody says.
const historyDays = 7

// period is what history looks at.
type period struct {
	since, now time.Time
	begins     time.Time // of the journal
	cut        bool      // the journal begins only after what was asked for
	volatile   bool      // it is gone with the next boot
}

// history shows outages and availability, from the journal.
func (s *session) history(args []string) error {
	flags := s.flags()
	from := flags.String("since", fmt.Sprintf("-%dd", historyDays), "")
	patterns, err := parse(flags, args)
	if err != nil {
		return err
	}
	since, err := timestamp(s.ctx, *from)
	if err != nil {
		return err
	}
	now, err := thisMoment()
	if err != nil {
		return err
	}
	if !since.Before(now.wall) {
		return misuseError{message: fmt.Sprintf("--since %s: that is not over yet", *from)}
	}
	j := journal{s.ctx, s.system}
	p := period{since: since, now: now.wall, volatile: !persistent()}
	if p.begins, err = j.begins(); err != nil {
		return err
	}
	if p.begins.After(since) {
		p.since, p.cut = p.begins, true
	}
	tunnels := s.knownTunnels()
	var names []string
	for _, t := range tunnels {
		names = append(names, t.Name)
	}
	for _, pattern := range patterns { // one that is gone may have a past
		if tunnelfile.ValidName(pattern) && !slices.Contains(names, pattern) {
			names = append(names, pattern)
		}
	}
	events, err := j.events(p.since, names, now)
	if err != nil {
		return err
	}
	names, err = pastNames(tunnels, events, patterns)
	if err != nil {
		return err
	}
	var pasts []past
	for _, name := range names {
		of, onDemand := events, false
		if i := slices.IndexFunc(tunnels, func(t dbusapi.Tunnel) bool { return t.Name == name }); i >= 0 {
			of, onDemand = orSince(events, tunnels[i], now), tunnels[i].StartMode == tunnelfile.StartOnDemand
		}
		pasts = append(pasts, pastOf(name, onDemand, of, p.since, now))
	}
	if s.json {
		return s.out.json(historyAsJSON(p, pasts), false)
	}
	s.showHistory(p, pasts, len(patterns) > 0)
	return nil
}

// knownTunnels are those of the daemon; none where it does not answer, which is no reason to show
// nothing.
func (s *session) knownTunnels() []dbusapi.Tunnel {
	client, err := s.daemon()
	if err != nil {
		return nil
	}
	ctx, cancel := s.call()
	defer cancel()
	tunnels, err := client.Tunnels(ctx)
	if err != nil {
		return nil
	}
	return tunnels
}

// pastNames are the tunnels to show: those there are, or where nobody knows, those of the journal;
// with patterns those of either.
func pastNames(tunnels []dbusapi.Tunnel, events []event, patterns []string) ([]string, error) {
	heard := slices.Clone(tunnels)
	for _, e := range events {
		if e.tunnel != "" && !slices.ContainsFunc(heard, func(t dbusapi.Tunnel) bool { return t.Name == e.tunnel }) {
			heard = append(heard, dbusapi.Tunnel{Name: e.tunnel})
		}
	}
	shown, err := matching(heard, nil, patterns)
	if len(patterns) == 0 && len(tunnels) > 0 {
		shown = tunnels
	}
	var names []string
	for _, t := range shown {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names, err
}

// orSince is events, or where the journal has nothing of a tunnel any more, what the daemon says of
// it and since when.
func orSince(events []event, t dbusapi.Tunnel, now moment) []event {
	if slices.ContainsFunc(events, func(e event) bool { return e.tunnel == t.Name }) || t.StateSince.IsZero() {
		return events
	}
	return inOrder([]event{{at: now.at(t.StateSince), tunnel: t.Name, what: workerSays, state: t.State, why: cause{t.Reason, withoutDelay(t.Status)}}}, events)
}

// persistent says whether the journal outlives a boot: journald.conf(5), Storage=.
func persistent() bool {
	dirs, err := os.ReadDir("/var/log/journal")
	return err == nil && len(dirs) > 0
}

// showHistory shows it to people.
func (s *session) showHistory(p period, pasts []past, each bool) {
	from := "from " + clock(p.since)
	if p.cut {
		from += ", where the journal begins,"
	}
	s.out.line("%s%s to now: %s", strings.ToUpper(from[:1]), from[1:], text.Span(p.now.Sub(p.since)))
	if p.cut && p.volatile {
		s.out.hint("the journal is kept in memory; Storage=persistent in journald.conf(5) keeps it across boots")
	}
	if len(pasts) == 0 {
		s.out.line("No tunnels yet.")
		return
	}
	if !each {
		s.out.line("")
		s.out.rows(pastTable(pasts))
		if t := outageTable(pasts, true); len(t) > 1 {
			s.out.line("")
			s.out.rows(t)
		}
		return
	}
	for _, one := range pasts {
		s.out.line("")
		s.out.rows(pastDetail(one, p))
		if t := outageTable([]past{one}, false); len(t) > 1 {
			s.out.line("")
			s.out.rows(t)
		}
	}
}

// header is a row of column names.
func header(names ...string) []cell {
	var row []cell
	for _, name := range names {
		row = append(row, cell{name, bold})
	}
	return row
}

// pastTable is a line for each tunnel.
func pastTable(pasts []past) table {
	t := table{header("NAME", "AVAILABLE", "UP", "DOWN", "OUTAGES", "LONGEST")}
	for _, p := range pasts {
		longest := ""
		if len(p.Outages) > 0 {
			longest = text.Span(p.longest())
		}
		t = append(t, []cell{{text: p.Name}, percentCell(p), {text: text.Span(p.Up)}, {text: text.Span(p.Down)}, {text: fmt.Sprint(len(p.Outages))}, {text: longest}})
	}
	return t
}

// percentCell is a tunnel's availability.
func percentCell(p past) cell {
	a, ok := p.availability()
	switch {
	case !ok:
		return cell{"–", dim}
	case a == 1:
		return cell{"100 %", green}
	}
	return cell{percent(a), yellow}
}

// percent is a part for people. What is not whole is not rounded up to it.
func percent(part float64) string {
	digits := 2
	for digits < 5 && part < 1 && part > 1-math.Pow(10, -float64(digits+2)) {
		digits++
	}
	scale := math.Pow(10, float64(digits))
	return fmt.Sprintf("%.*f %%", digits, math.Floor(part*100*scale+1e-6)/scale)
}

// pastDetail is all there is to say of one tunnel but its outages.
func pastDetail(p past, of period) table {
	var rows table
	row := func(name, content, color string) {
		rows = append(rows, []cell{{fmt.Sprintf("%11s", name), dim}, {content, color}})
	}
	row("Tunnel:", p.Name, bold)
	if p.Known == 0 {
		row("", "the journal says nothing of it in this time", "")
		return rows
	}
	available := percentCell(p)
	if p.wanted() > 0 {
		available.text += " of the " + text.Span(p.wanted()) + " in which it was wanted up"
	} else {
		available.text = "– (it was not wanted up)"
	}
	row("Available:", available.text, available.color)
	up := text.Span(p.Up)
	if p.Degraded > 0 {
		up += ", degraded for " + text.Span(p.Degraded) + " of it"
	}
	row("Up:", up, "")
	down := text.Span(p.Down)
	if n := len(p.Outages); n > 0 {
		down += fmt.Sprintf(" in %s; the longest %s", text.Count(n, "outage"), text.Span(p.longest()))
		if n > 1 {
			down += ", on average " + text.Span(p.Down/time.Duration(n))
		}
	}
	row("Down:", down, "")
	if rest := of.now.Sub(of.since) - p.wanted(); rest >= time.Second {
		row("Else:", text.Span(rest)+" stopped, idle, not there yet, or the machine off or asleep", "")
	}
	return rows
}

// outageTable is a line for each outage, in the order in which they began.
func outageTable(pasts []past, named bool) table {
	names := header("BEGAN", "ENDED", "LASTED")
	if named {
		names = append(names, header("NAME")...)
	}
	t := table{append(names, header("WHY")...)}
	type ofTunnel struct {
		outage
		name string
	}
	var all []ofTunnel
	for _, p := range pasts {
		for _, o := range p.Outages {
			all = append(all, ofTunnel{o, p.Name})
		}
	}
	slices.SortStableFunc(all, func(a, b ofTunnel) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.name, b.name)) })
	for _, o := range all {
		began := cell{text: clock(o.Began)}
		if o.Earlier {
			began.text = "earlier"
		}
		ended := cell{text: clock(o.Ended)}
		if o.Ended.IsZero() {
			ended = cell{"goes on", red}
		}
		row := []cell{began, ended, {text: text.Span(o.Lasted)}}
		if named {
			row = append(row, cell{text: o.name})
		}
		t = append(t, append(row, cell{text: text.Printable(tunnelfile.Status{State: o.State, Reason: o.Why.reason, Text: o.Why.text}.String())}))
	}
	return t
}

// clock is a time as journalctl(1) prints it.
func clock(t time.Time) string { return t.Local().Format("Jan 02 15:04:05") }
