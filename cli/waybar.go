package cli

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// waybar is what waybar-custom(5) reads from a module with return-type json. Polybar and i3blocks can
// use parts of it.
type waybar struct {
	Text       string `json:"text"`
	Alt        string `json:"alt"` // for format-icons
	Tooltip    string `json:"tooltip"`
	Class      string `json:"class"` // up, working, attention, offline, none, absent
	Percentage int    `json:"percentage"`
}

// showWaybar prints a line about the named tunnels, or about all if there are no names.
func showWaybar(s *session.Session, client *dbusapi.Client, snapshot dbusapi.Snapshot, names []string, first bool) error {
	if snapshot.Running {
		tunnels, err := tunnel.Named(s.Ctx, client, snapshot, names)
		if err != nil && first {
			return err
		}
		snapshot.Tunnels = tunnels
	}
	return s.Out.JSON(waybarOf(snapshot), true)
}

// waybarOf is a snapshot for a bar. Its class is that of the tunnel that needs a person most.
func waybarOf(s dbusapi.Snapshot) waybar {
	if !s.Running {
		return waybar{Text: "–", Alt: "absent", Class: "absent", Tooltip: "Holdfast is not running"}
	}
	tally, class := listing.Count(s.Tunnels), "none"
	var lines []string
	rank := map[string]int{"none": 0, "up": 1, "working": 2, "offline": 3, "attention": 4} // the same order as in the tray
	for _, t := range s.Tunnels {
		of := waybarClass(t)
		if rank[of] > rank[class] {
			class = of
		}
		lines = append(lines, t.Name+"  "+tunnel.Line(t))
	}
	w := waybar{Text: fmt.Sprintf("%d/%d", tally.Well, tally.Wanted), Alt: class, Class: class, Tooltip: escape(strings.Join(lines, "\n"))}
	if tally.Wanted > 0 {
		w.Percentage = 100 * tally.Well / tally.Wanted
	}
	if len(s.Tunnels) == 0 {
		w.Tooltip = "No tunnels yet"
	}
	return w
}

func waybarClass(t listing.Tunnel) string {
	if t.Reason == fault.Rule {
		return "none" // it is not wanted on this network
	}
	switch t.State {
	case tunnelfile.Up, tunnelfile.Listening:
		return "up"
	case tunnelfile.Offline:
		return "offline"
	case tunnelfile.Connecting, tunnelfile.Retrying, tunnelfile.Degraded:
		return "working"
	case tunnelfile.Blocked, tunnelfile.Failed:
		return "attention"
	}
	return "none" // inactive, stopping
}

// escape escapes text for Pango markup.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
