package tray

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A menu with one open submenu has at most maxRows rows, so that it fits in 600 pixels. GNOME has
// the highest rows (37 pixels) and opens submenus inline, in the height that is left. Submenus have
// no submenus.
const (
	maxRows    = 15
	maxTop     = 5 // rows for tunnels and groups
	maxGroups  = 3 // rows for groups among these, so that some tunnels always have a submenu of their own
	maxMembers = 7 // tunnels in a group; more if there would be more than maxGroups groups
)

// skeleton is the kinds of the slots at the top level: the headline and what to do about it,
// tunnels and groups (maxTop), all tunnels, and Holdfast itself. A tray's separators can be neither
// moved nor hidden. So the result of ViewOf always fits in this skeleton.
var skeleton = []Kind{Action, Action, Separator, Submenu, Submenu, Submenu, Submenu, Submenu, Separator, Submenu, Submenu}

// Model is the input of ViewOf.
type Model struct {
	dbusapi.Snapshot
	Now     time.Time
	Traffic map[string]Traffic // of tunnels whose submenu was opened lately
	Muted   map[string]bool    // tunnels without notifications
	Pause   Pause
	Picked  string // the tunnel that was clicked in a group; it gets a submenu of its own
}

// ViewOf returns the icon and the menu for a model.
func ViewOf(m Model) View {
	todo := toDo(m)
	v := View{Icon: IconOf(m.Snapshot), Items: head(m, todo)}
	room := maxTop + 1 - len(v.Items)
	v.Items = append(v.Items, Item{Kind: Separator})
	v.Items = append(v.Items, tunnels(m, room)...)
	v.Items = append(v.Items, Item{Kind: Separator})
	if m.Running && len(m.Tunnels) > 0 {
		v.Items = append(v.Items, all(m))
	}
	v.Items = append(v.Items, holdfast(m, todo))
	return v
}

// head returns the headline, and below it the first thing to do, if any. A line is not disabled
// only because it is information: some desktops make disabled lines hard to read.
func head(m Model, todo []Item) []Item {
	headline := Item{Key: "status", Label: Headline(m.Snapshot)}
	switch {
	case m.Running && m.Pause.Active():
		headline.Label = "Paused " + m.Pause.label(m.Now)
	case !m.Running && m.Err != nil:
		headline.Label += ": " + m.Err.Error()
	}
	return append([]Item{headline}, todo[:min(len(todo), 1)]...)
}

// toDo returns what a person may want to do now, the most important first.
func toDo(m Model) []Item {
	if !m.Running {
		return []Item{{Key: "start-daemon", Label: "Start Holdfast"}}
	}
	var items []Item
	if m.Pause.Active() {
		items = append(items, Item{Key: "resume", Label: "Go on now", Disabled: len(m.Tunnels) == 0})
	}
	if i := slices.IndexFunc(m.Tunnels, needsYou); i >= 0 {
		t, r := m.Tunnels[i], remedyFor(m.Tunnels[i])
		item := Item{Key: key(r.verb, t.Name), Label: r.label}
		if !r.extra() || slices.ContainsFunc(m.Tunnels[i+1:], needsYou) { // say which tunnel
			item.Label = t.Name + ": " + r.label
		}
		items = append(items, item)
	}
	switch ps := m.Global.Problems; {
	case len(ps) > 1:
		items = append(items, Item{Key: "problems", Label: fmt.Sprintf("%d mistakes in tunnel files…", len(ps))})
	case len(ps) == 1:
		items = append(items, Item{Key: "problems", Label: "Mistake in " + ps[0].Path + "…"})
	}
	switch old := listing.Outdated(m.Global.Version, m.Tunnels); {
	case len(old) > 1:
		items = append(items, Item{Key: "renew", Label: text.Count(len(old), "tunnel") + " run an older program – restart them"})
	case len(old) == 1:
		items = append(items, Item{Key: "renew", Label: old[0] + " runs an older program – restart it"})
	}
	if len(m.Tunnels) == 0 && len(items) == 0 {
		items = append(items, addTunnel)
	}
	return items
}

var addTunnel = Item{Key: "add", Label: "Add a tunnel…"}

// holdfast returns the submenu for what is about no existing tunnel, with the rest of todo.
func holdfast(m Model, todo []Item) Item {
	items := append(slices.Clone(todo[min(len(todo), 1):]), addTunnel, Item{Key: "check", Label: "Check…"}, Item{Key: "help", Label: "Help"})
	if len(m.Muted) > 0 {
		items = append(items, Item{Key: "unmute", Label: "Notify of " + text.Count(len(m.Muted), "muted tunnel") + " again"})
	}
	return Item{Key: "holdfast", Kind: Submenu, Label: "Holdfast", Items: append(items, Item{Key: "quit", Label: "Quit"})}
}

// tunnels returns the rows for tunnels, at most room. Tunnels that need a person or run come first,
// each with its own submenu. The rest is in groups.
func tunnels(m Model, room int) []Item {
	top, groups := divide(m.Tunnels, m.Picked, room)
	var items []Item
	left := maxRows - 3 - (maxTop - room) - len(top) - len(groups) // rows of an open submenu
	for _, t := range top {
		items = append(items, tunnelItem(m, t, left))
	}
	for _, g := range groups {
		item := Item{Key: key("group", g.name), Kind: Submenu, Label: fmt.Sprintf("%s (%d)", g.name, len(g.tunnels))}
		for _, t := range g.tunnels {
			item.Items = append(item.Items, Item{Key: key("pick", t.Name), Label: tunnelLabel(t)})
		}
		items = append(items, item)
	}
	return items
}

// all returns the submenu for all tunnels at once.
func all(m Model) Item {
	stopped := slices.ContainsFunc(m.Tunnels, isStopped)
	running := slices.ContainsFunc(m.Tunnels, func(t listing.Tunnel) bool { return !isStopped(t) })
	items := []Item{{Key: "all-up", Label: "All up", Disabled: !stopped}, {Key: "all-down", Label: "All down", Disabled: !running}}
	for _, p := range pausesAt(m.Now) {
		items = append(items, Item{Key: key("pause", p.verb), Label: p.label, Disabled: !running || m.Pause.Active()})
	}
	return Item{Key: "all", Kind: Submenu, Label: "All tunnels", Items: items}
}

// isStopped reports whether nothing of a tunnel runs.
func isStopped(t listing.Tunnel) bool {
	return t.State == tunnelfile.Inactive || t.State == tunnelfile.Failed
}

// key returns an Item's Key: a verb and its arguments.
func key(words ...string) string { return strings.Join(words, " ") }
