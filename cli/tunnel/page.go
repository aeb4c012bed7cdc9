package tunnel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Page is everything about one tunnel, as a table.
func Page(t listing.Tunnel, s dbusapi.Statistics, now time.Time) *layout.Table {
	page := layout.Page()
	row := func(name, content string, color layout.Color) {
		page.Row(name, layout.Painted(text.Printable(content), color))
	}
	row("Tunnel", t.Name, layout.Bold)
	if t.Description != "" && t.Description != t.Destination {
		row("About", t.Description, "")
	}
	row("State", Line(t), Color(t.State))
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
		row(name, content, Color(f.State))
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
