package tunnel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Table is a table with a row for each tunnel.
func Table(all []listing.Tunnel, now time.Time, wide bool) *layout.Table {
	table := &layout.Table{Columns: []layout.Column{
		{Name: "NAME", Shorten: true}, {Name: "STATE"}, {Name: "SINCE", GiveWay: 3},
		{Name: "LISTENS", Shorten: true, Soft: true, Min: 20, GiveWay: 1}, {Name: "DESTINATION", Shorten: true, GiveWay: 2},
	}}
	status := wide || slices.ContainsFunc(all, func(t listing.Tunnel) bool { return trouble(t) != "" })
	if wide {
		table.Columns = append(table.Columns, layout.Column{Name: "START", GiveWay: 5}, layout.Column{Name: "TAGS", GiveWay: 6}, layout.Column{Name: "FILE", GiveWay: 7})
	}
	if status {
		table.Columns = append(table.Columns, layout.Column{Name: "STATUS", Wrap: true, Min: 30, GiveWay: 4, Below: true})
	}
	for _, t := range all {
		since := ""
		if !t.StateSince.IsZero() {
			since = text.Ago(now.Sub(t.StateSince))
		}
		row := []layout.Cell{
			layout.Plain(t.Name), layout.Painted(tunnelfile.Status{State: t.State, Reason: t.Reason}.String(), Color(t.State)), layout.Plain(since),
			layout.Plain(text.Printable(listens(t, wide))), layout.Plain(text.Printable(t.Destination)),
		}
		why := trouble(t)
		if wide {
			why = cmp.Or(why, t.Status)
			row = append(row, layout.Plain(string(t.StartMode)), layout.Plain(strings.Join(t.Tags, " ")),
				layout.Cell{Text: text.Tilde(t.FilePath), Link: layout.FileLink(t.FilePath)})
		}
		if status {
			row = append(row, layout.Plain(text.Printable(why)))
		}
		table.Add(row...)
	}
	return table
}

// trouble is why a tunnel is not well, as a sentence. It is "" if all is well.
func trouble(t listing.Tunnel) string {
	if t.Status != "" && (t.Reason != fault.None || t.State != tunnelfile.Up && t.State != tunnelfile.Listening) {
		return t.Status
	}
	for _, f := range t.Forwards {
		if f.Message != "" {
			return fmt.Sprintf("%s %s: %s", f.Kind, f.Listen, f.Message)
		}
	}
	return ""
}

// listens is where forwards listen and where they lead: the first and how many more, or all.
func listens(t listing.Tunnel, all bool) string {
	var forwards []string
	for _, f := range t.Forwards {
		forwards = append(forwards, forwardText(f))
	}
	switch {
	case len(forwards) == 0:
		return ""
	case all:
		return strings.Join(forwards, ", ")
	case len(forwards) > 1:
		return fmt.Sprintf("%s +%d", forwards[0], len(forwards)-1)
	}
	return forwards[0]
}

// forwardText is a forward in short form: ":5432 → db.internal:5432", ":1080 (SOCKS)", "remote :9090 →
// localhost:9090".
func forwardText(f tunnelfile.ForwardReport) string {
	listen, target := withoutLoopback(text.Tilde(f.Listen)), text.Tilde(f.Target)
	if f.Kind == tunnelfile.RemoteForward {
		listen = "remote " + listen
	}
	if f.Kind == tunnelfile.DynamicForward || target == "" {
		return listen + " (SOCKS)"
	}
	return listen + " → " + target
}

// withoutLoopback removes a loopback host from an address.
func withoutLoopback(address string) string {
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if port, ok := strings.CutPrefix(address, host+":"); ok {
			return ":" + port
		}
	}
	return address
}
