// Package history computes outages and availability of tunnels from the journal. It reads the journal
// with journalctl(1), and prints nothing.
package history

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/journalctl"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// period is the time that a report covers.
type period struct {
	since, now time.Time
	begins     time.Time // when the journal begins
	cut        bool      // the journal begins after the requested time
	volatile   bool      // the journal is lost at the next boot
}

// Query says which part of the past to read.
type Query struct {
	Since    string // a time as in systemd.time(7)
	System   bool
	Tunnels  []listing.Tunnel // those the daemon knows; nil if it does not answer
	Patterns []string         // names, globs or @tags; none means all

	directory string // the journal's directory; for tests
}

// Report is the result of Read.
type Report struct {
	period period
	pasts  []past
	each   bool // in detail, one tunnel after the other
}

// Read reads the journal and computes the report.
func Read(ctx context.Context, q Query) (Report, error) {
	since, err := journalctl.Timestamp(ctx, q.Since)
	if err != nil {
		return Report{}, err
	}
	now, err := thisMoment()
	if err != nil {
		return Report{}, err
	}
	if !since.Before(now.wall) {
		return Report{}, advice.Misuse{Message: fmt.Sprintf("--since %s: that is in the future", q.Since)}
	}
	j := reader{ctx, q.System, q.directory}
	p := period{since: since, now: now.wall, volatile: !persistent()}
	if p.begins, err = j.begins(); err != nil {
		return Report{}, err
	}
	if p.begins.After(since) {
		p.since, p.cut = p.begins, true
	}
	names := listing.Names(q.Tunnels)
	for _, pattern := range q.Patterns { // a removed tunnel may have a past
		if tunnelfile.ValidName(pattern) && !slices.Contains(names, pattern) {
			names = append(names, pattern)
		}
	}
	events, err := j.events(p.since, names, now)
	if err != nil {
		return Report{}, err
	}
	names, err = pastNames(q.Tunnels, events, q.Patterns)
	if err != nil {
		return Report{}, err
	}
	r := Report{period: p, each: len(q.Patterns) > 0}
	for _, name := range names {
		of, onDemand := events.of(name), false
		if t, ok := listing.Find(q.Tunnels, name); ok {
			of, onDemand = orSince(of, t, now), t.StartMode == tunnelfile.StartOnDemand
		}
		r.pasts = append(r.pasts, pastOf(name, onDemand, of, p.since, now))
	}
	return r, nil
}

// pastNames are the tunnels to show. With patterns these are the matching tunnels of the daemon and of
// the journal. Without, they are the daemon's, or the journal's if there are none.
func pastNames(tunnels []listing.Tunnel, events byTunnel, patterns []string) ([]string, error) {
	known := slices.Clone(tunnels)
	for name := range events {
		if _, ok := listing.Find(known, name); !ok && name != "" {
			known = append(known, listing.Tunnel{Name: name})
		}
	}
	shown, err := tunnel.Match(known, nil, patterns)
	if len(patterns) == 0 && len(tunnels) > 0 {
		shown = tunnels
	}
	names := listing.Names(shown)
	slices.Sort(names)
	return names, err
}

// orSince returns the tunnel's events. If the journal has none left, it adds one from the daemon's
// state and its time.
func orSince(events []event, t listing.Tunnel, now moment) []event {
	if slices.ContainsFunc(events, func(e event) bool { return e.tunnel == t.Name }) || t.StateSince.IsZero() {
		return events
	}
	return inOrder([]event{{at: now.at(t.StateSince), tunnel: t.Name, what: workerState, state: t.State, why: cause{t.Reason, withoutDelay(t.Status)}}}, events)
}

// persistent says whether the journal survives a reboot, see Storage= in journald.conf(5).
func persistent() bool {
	dirs, err := os.ReadDir("/var/log/journal")
	return err == nil && len(dirs) > 0
}

// Blocks is the report for people, for a terminal of this width. 0 means no limit.
func (r Report) Blocks(width int) (blocks []layout.Block) {
	bars := barCells(width)
	say := func(b ...layout.Block) { blocks = append(blocks, b...) }
	p := r.period
	from := "from " + clock(p.since)
	if p.cut {
		from += ", where the journal begins,"
	}
	say(layout.Block{Text: fmt.Sprintf("%s%s to now: %s", strings.ToUpper(from[:1]), from[1:], text.Span(p.now.Sub(p.since)))})
	if p.cut && p.volatile {
		say(layout.Block{Hint: "the journal is kept in memory; Storage=persistent in journald.conf(5) keeps it across boots"})
	}
	table := func(t *layout.Table) {
		if len(t.Rows) > 0 {
			say(layout.Block{}, layout.Block{Table: t})
		}
	}
	key := func() { say(layout.Block{Text: barKey(p, bars), Color: layout.Dim}) }
	switch {
	case len(r.pasts) == 0:
		say(layout.Block{Text: "No tunnels yet."})
	case !r.each:
		table(pastTable(r.pasts, p, bars))
		key()
		table(outageTable(r.pasts, true))
	default:
		for _, one := range r.pasts {
			table(pastDetail(one, p, bars))
			key()
			table(outageTable([]past{one}, false))
		}
	}
	return blocks
}

// pastTable has a row for each tunnel.
func pastTable(pasts []past, of period, bars int) *layout.Table {
	t := &layout.Table{Columns: []layout.Column{
		{Name: "NAME", Shorten: true}, {Name: "AVAILABLE"}, {Name: "BAR", GiveWay: 1}, {Name: "OUTAGES", Right: true}, {Name: "LONGEST", GiveWay: 2}, {Name: "DOWN", GiveWay: 3}, {Name: "UP", GiveWay: 4},
	}}
	for _, p := range pasts {
		longest := ""
		if len(p.Outages) > 0 {
			longest = text.Span(p.longest())
		}
		t.Add(layout.Plain(p.Name), percentCell(p), layout.Painted(p.bar(of, bars), barColor(p)), layout.Plain(fmt.Sprint(len(p.Outages))), layout.Plain(longest),
			layout.Plain(text.Span(p.Down)), layout.Plain(text.Span(p.Up)))
	}
	return t
}

// percentCell is a tunnel's availability as a cell.
func percentCell(p past) layout.Cell {
	a, ok := p.availability()
	switch {
	case !ok:
		return layout.Painted("–", layout.Dim)
	case a == 1:
		return layout.Painted("100 %", layout.Green)
	}
	return layout.Painted(percent(a), layout.Yellow)
}

// percent is a share for people. Less than all is never rounded up to 100 %.
func percent(part float64) string {
	digits := 2
	for digits < 5 && part < 1 && part > 1-math.Pow(10, -float64(digits+2)) {
		digits++
	}
	scale := math.Pow(10, float64(digits))
	return fmt.Sprintf("%.*f %%", digits, math.Floor(part*100*scale+1e-6)/scale)
}

// pastDetail is everything about one tunnel except its outages.
func pastDetail(p past, of period, bars int) *layout.Table {
	page := layout.Page()
	row := func(name, content string, color layout.Color) { page.Row(name, layout.Painted(content, color)) }
	row("Tunnel", p.Name, layout.Bold)
	if p.Known == 0 {
		row("", "the journal has nothing about it from this time", "")
		return page
	}
	available := percentCell(p)
	if p.wanted() > 0 {
		available.Text += " of the " + text.Span(p.wanted()) + " in which it was wanted up"
	} else {
		available.Text = "– (it was not wanted up)"
	}
	row("Available", available.Text, available.Color)
	row("Bar", p.bar(of, bars), barColor(p))
	up := text.Span(p.Up)
	if p.Degraded > 0 {
		up += ", degraded for " + text.Span(p.Degraded) + " of it"
	}
	row("Up", up, "")
	down := text.Span(p.Down)
	if n := len(p.Outages); n > 0 {
		down += fmt.Sprintf(" in %s; the longest %s", text.Count(n, "outage"), text.Span(p.longest()))
		if n > 1 {
			down += ", on average " + text.Span(p.Down/time.Duration(n))
		}
	}
	row("Down", down, "")
	if rest := of.now.Sub(of.since) - p.wanted(); rest >= time.Second {
		row("Else", text.Span(rest)+" stopped, idle or not made yet, or the machine was off or asleep", "")
	}
	return page
}

// outageTable has a row for each outage, ordered by its beginning.
func outageTable(pasts []past, named bool) *layout.Table {
	t := &layout.Table{Columns: []layout.Column{{Name: "BEGAN"}, {Name: "ENDED", GiveWay: 1}, {Name: "LASTED"}}}
	if named {
		t.Columns = append(t.Columns, layout.Column{Name: "NAME", Shorten: true})
	}
	t.Columns = append(t.Columns, layout.Column{Name: "WHY", Wrap: true, Min: 24, GiveWay: 2, Below: true})
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
		began := layout.Plain(clock(o.Began))
		if o.Earlier {
			began.Text = "earlier"
		}
		ended := layout.Plain(clock(o.Ended))
		if o.Ended.IsZero() {
			ended = layout.Painted("goes on", layout.Red)
		}
		row := []layout.Cell{began, ended, layout.Plain(text.Span(o.Lasted))}
		if named {
			row = append(row, layout.Plain(o.name))
		}
		t.Add(append(row, layout.Plain(text.Printable(tunnelfile.Status{State: o.State, Reason: o.Why.reason, Text: o.Why.text}.String())))...)
	}
	return t
}

// clock formats a time as journalctl(1) does.
func clock(t time.Time) string { return t.Local().Format("Jan 02 15:04:05") }
