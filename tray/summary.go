package tray

import (
	"fmt"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Headline is the state of everything in one line: "4 of 5 up · needs you: db".
func Headline(s dbusapi.Snapshot) string {
	if !s.Running {
		return "Holdfast is not running"
	}
	if len(s.Tunnels) == 0 {
		return "No tunnels yet"
	}
	var needy []string
	rest := map[tunnelfile.State]int{}
	for _, t := range s.Tunnels {
		switch {
		case needsYou(t) && t.Wanted():
			needy = append(needy, t.Name)
		case t.State != tunnelfile.Inactive && !t.Well():
			rest[t.State]++
		}
	}
	tally := listing.Count(s.Tunnels)
	line := fmt.Sprintf("%d of %d up", tally.Well, tally.Wanted)
	switch {
	case tally.Wanted == 0:
		line = text.Count(tally.All, "tunnel") + ", none running"
	case tally.Well == tally.Wanted && tally.Well == 1:
		line = "1 tunnel up"
	case tally.Well == tally.Wanted:
		line = fmt.Sprintf("All %d up", tally.Well)
	}
	if len(needy) > 0 {
		return line + " · needs you: " + listed(needy, 2)
	}
	for _, state := range []tunnelfile.State{tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting, tunnelfile.Offline, tunnelfile.Stopping} {
		if n := rest[state]; n > 0 {
			line += fmt.Sprintf(" · %d %s", n, state)
		}
	}
	if n := s.Global.Network; n != "" && n != "unknown" && n != "online" {
		line += " · network: " + n
	}
	return line
}

// IconOf returns the drawing for the state of all tunnels. A need for a person comes first, then a
// missing network, then a tunnel that is on its way.
func IconOf(s dbusapi.Snapshot) Icon {
	var up, working, offline bool
	for _, t := range s.Tunnels {
		switch {
		case needsYou(t):
			return IconAttention
		case t.State == tunnelfile.Offline:
			offline = offline || t.Reason != fault.Rule
		case t.Well():
			up = true
		case t.State != tunnelfile.Inactive:
			working = true
		}
	}
	switch {
	case offline:
		return IconOffline
	case working:
		return IconWorking
	case up:
		return IconUp
	}
	return IconIdle
}
