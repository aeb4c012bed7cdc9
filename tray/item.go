package tray

import (
	"maps"
	"slices"
)

// Kind is what an Item looks like and does.
type Kind int

// The kinds of items.
const (
	Action Kind = iota
	Check
	Submenu
	Separator
)

// Item is one line of a menu.
type Item struct {
	Key      string // what a click on it means; the same as long as the item is the same
	Kind     Kind
	Label    string
	Checked  bool // of a Check
	Disabled bool
	Items    []Item // of a Submenu
}

// View is all there is to see: the name of an icon and the menu.
type View struct {
	Icon  Icon
	Items []Item
}

// Icon is the name of a drawing.
type Icon string

// The five drawings.
const (
	IconUp        Icon = "up"        // all that should be up is
	IconWorking   Icon = "working"   // something is on its way
	IconAttention Icon = "attention" // a person is needed
	IconOffline   Icon = "offline"   // there is no network
	IconIdle      Icon = "idle"      // nothing runs
)

// descriptions are what the drawings stand for, for those who do not see them.
var descriptions = map[Icon]string{
	IconUp:        "all tunnels are up",
	IconWorking:   "a tunnel is on its way",
	IconAttention: "a tunnel needs you",
	IconOffline:   "no network",
	IconIdle:      "no tunnel runs",
}

// Icons lists them.
func Icons() []Icon { return slices.Sorted(maps.Keys(descriptions)) }

// Description is what the drawing stands for.
func (i Icon) Description() string { return descriptions[i] }
