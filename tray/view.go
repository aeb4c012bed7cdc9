package tray

import (
	"fmt"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// How many items the top level has room for. A tray's separators can be neither moved
// nor hidden, so the top level is a fixed skeleton of slots.
const (
	maxTunnels = 12 // more than that are grouped by state
	maxNeeds   = 5  // those that need a person and are named before the others
)

// skeleton is the kinds of slots at the top level. ViewOf fits in it, whatever happens.
var skeleton = slots(
	many(2+maxNeeds+1, Action), // headline, network, those that need a person, a broken file
	many(1, Separator),
	many(2, Action), // where there are no tunnels, or no daemon
	many(maxTunnels, Submenu),
	many(1, Separator),
	many(3, Action), // all up, all down, go on
	many(1, Submenu),
	many(1, Separator),
	many(1, Action),
)

func many(n int, k Kind) []Kind {
	kinds := make([]Kind, n)
	for i := range kinds {
		kinds[i] = k
	}
	return kinds
}

func slots(sections ...[]Kind) []Kind {
	var all []Kind
	for _, s := range sections {
		all = append(all, s...)
	}
	return all
}

// Model is what the menu is a function of.
type Model struct {
	dbusapi.Snapshot
	Now     time.Time
	Traffic map[string]Traffic // of tunnels whose submenu was opened lately
	Muted   map[string]bool    // tunnels that no notification is about
	Pause   Pause
}

// ViewOf is the menu.
func ViewOf(m Model) View {
	v := View{Icon: IconOf(m.Snapshot)}
	v.Items = append(v.Items, head(m)...)
	v.Items = append(v.Items, separator)
	v.Items = append(v.Items, body(m)...)
	v.Items = append(v.Items, separator)
	v.Items = append(v.Items, all(m)...)
	v.Items = append(v.Items, separator, Item{Key: "quit", Label: "Quit"})
	return v
}

// head is how things are, and what needs a person.
func head(m Model) []Item {
	items := []Item{line("headline", Headline(m.Snapshot))}
	if !m.Running {
		if m.Err != nil {
			items = append(items, line("error", m.Err.Error()))
		}
		return items
	}
	if n := m.Global.Network; n != "" && n != "unknown" {
		items = append(items, line("network", "Network: "+n))
	}
	needy := 0
	for _, t := range m.Tunnels {
		if !needsYou(t.State) {
			continue
		}
		if needy++; needy <= maxNeeds {
			verb, label := help(t)
			items = append(items, Item{Key: key("need-"+verb, t.Name), Label: t.Name + ": " + label})
		}
	}
	if ps := m.Global.Problems; len(ps) > 0 {
		label := "Mistake in " + ps[0].Path
		if len(ps) > 1 {
			label = fmt.Sprintf("%d mistakes in tunnel files", len(ps))
		}
		items = append(items, Item{Key: "problems", Label: label + "…"})
	}
	return items
}

// groups is the order of groups, for more tunnels than fit.
var groups = []tunnelfile.State{tunnelfile.Blocked, tunnelfile.Failed, tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting,
	tunnelfile.Offline, tunnelfile.Stopping, tunnelfile.Up, tunnelfile.Listening, tunnelfile.Inactive}

// body is the tunnels.
func body(m Model) []Item {
	switch {
	case !m.Running:
		return []Item{{Key: "start-daemon", Label: "Start Holdfast"}}
	case len(m.Tunnels) == 0:
		return []Item{line("hint", "Make one: holdfast add NAME -L 9090:localhost:9090 me@server")}
	}
	var items []Item
	if len(m.Tunnels) <= maxTunnels {
		for _, t := range m.Tunnels {
			items = append(items, tunnelItem(m, t, t.Name+" – "+string(t.State)))
		}
		return items
	}
	for _, state := range groups {
		var members []Item
		for _, t := range m.Tunnels {
			if t.State == state {
				members = append(members, tunnelItem(m, t, t.Name))
			}
		}
		if len(members) > 0 {
			items = append(items, Item{Key: key("group", string(state)), Kind: Submenu, Label: fmt.Sprintf("%s (%d)", state, len(members)), Items: members})
		}
	}
	return items
}

// all is what can be done with all tunnels at once.
func all(m Model) []Item {
	nothing := !m.Running || len(m.Tunnels) == 0
	if m.Pause.Active() {
		return []Item{
			line("paused", "Paused "+m.Pause.label(m.Now)),
			{Key: "resume", Label: "Go on now", Disabled: nothing},
		}
	}
	var running, stopped int
	for _, t := range m.Tunnels {
		if t.State == tunnelfile.Inactive || t.State == tunnelfile.Failed {
			stopped++
		} else {
			running++
		}
	}
	pauses := Item{Key: "pause", Kind: Submenu, Label: "Pause all", Disabled: running == 0}
	for _, p := range pausesAt(m.Now) {
		pauses.Items = append(pauses.Items, Item{Key: key("pause", p.verb), Label: p.label})
	}
	return []Item{
		{Key: "all-up", Label: "All up", Disabled: nothing || stopped == 0},
		{Key: "all-down", Label: "All down", Disabled: nothing || running == 0},
		pauses,
	}
}

// key is what a click means: a verb and what it is about.
func key(verb string, about ...string) string {
	return strings.Join(append([]string{verb}, about...), " ")
}
