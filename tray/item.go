package tray

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
	Key      string // what a click on it means; it does not change while the item is the same
	Kind     Kind
	Label    string
	Checked  bool // of a Check
	Disabled bool
	Items    []Item // of a Submenu
}

// View is everything that a tray shows: an icon and the menu.
type View struct {
	Icon  Icon
	Items []Item
}

// Icon is the name of a drawing.
type Icon string

// The five drawings.
const (
	IconUp        Icon = "up"        // every tunnel that should be up is up
	IconWorking   Icon = "working"   // a tunnel is on its way
	IconAttention Icon = "attention" // a person is needed
	IconOffline   Icon = "offline"   // there is no network
	IconIdle      Icon = "idle"      // nothing runs
)

// descriptions say what the drawings mean, for people who do not see them.
var descriptions = map[Icon]string{
	IconUp:        "all tunnels are up",
	IconWorking:   "a tunnel is on its way",
	IconAttention: "a tunnel needs you",
	IconOffline:   "no network",
	IconIdle:      "no tunnel runs",
}

// Description says what the drawing means.
func (i Icon) Description() string { return descriptions[i] }
