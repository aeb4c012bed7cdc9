package tray

import "time"

const (
	// iconPause is the shortest time between two icons: two within 10 ms have crashed panels.
	iconPause = time.Second
	// clickGrace is how long clicks on an item are dropped after its meaning changed: the person
	// probably meant the former one.
	clickGrace = 300 * time.Millisecond
)

// Renderer changes an existing menu to match the wanted one. It matches the wanted items, in order,
// with slots of the same kind. It hides slots that are left over, and adds those that are missing.
// At the top level none is missing: it has a fixed skeleton.
type Renderer struct {
	driver Driver
	clicks chan *slot // pass each one to clicked
	top    []*slot
	count  int // how many items exist, visible or not

	icon    Icon
	iconSet time.Time
}

// slot is an existing item and what it shows.
type slot struct {
	kind     Kind
	handle   Handle
	item     Item
	visible  bool
	rekeyed  time.Time // when it got its present meaning
	children []*slot
}

// NewRenderer makes the skeleton of a menu, all hidden. Each submenu has an item from the start:
// Plasma makes no submenu for an item that it has first seen without one.
func NewRenderer(d Driver) *Renderer {
	r := &Renderer{driver: d, clicks: make(chan *slot, 64)}
	for _, kind := range skeleton {
		s := r.add(nil, kind, Item{})
		if kind == Submenu {
			s.children = []*slot{r.add(s.handle, Action, Item{})}
		}
		r.top = append(r.top, s)
	}
	for _, s := range r.top {
		r.hide(s)
	}
	return r
}

// clicked returns what a click means, see Item.Key. It returns false if the click came too soon
// after the item changed, or if the item is hidden or disabled.
func (s *slot) clicked(now time.Time) (key string, ok bool) {
	if s.kind == Check { // the toolkit has toggled it: undo that
		s.handle.SetChecked(s.item.Checked)
	}
	return s.item.Key, s.visible && !s.item.Disabled && now.Sub(s.rekeyed) >= clickGrace
}

// Redraw makes Render set the icon again, after iconPause. A panel that has just started may have
// missed it.
func (r *Renderer) Redraw(now time.Time) { r.icon, r.iconSet = "", now }

// Render shows a view. If the icon has to wait, it returns when to call Render again.
func (r *Renderer) Render(v View, now time.Time) (next time.Time) {
	r.top = r.match(nil, r.top, v.Items, now)
	if v.Icon == r.icon {
		return time.Time{}
	}
	if due := r.iconSet.Add(iconPause); due.After(now) {
		return due
	}
	r.driver.SetIcon(v.Icon)
	r.icon, r.iconSet = v.Icon, now
	return time.Time{}
}

// match shows items in the slots of one menu. It returns the slots with those it added.
func (r *Renderer) match(parent Handle, slots []*slot, items []Item, now time.Time) []*slot {
	next := 0
	for _, item := range items {
		for next < len(slots) && slots[next].kind != item.Kind {
			r.hide(slots[next])
			next++
		}
		if next == len(slots) {
			slots = append(slots, r.add(parent, item.Kind, item))
		}
		r.show(slots[next], item, now)
		next++
	}
	for _, s := range slots[next:] {
		r.hide(s)
	}
	return slots
}

// add makes a slot at the end of a menu.
func (r *Renderer) add(parent Handle, kind Kind, item Item) *slot {
	s := &slot{kind: kind, visible: true}
	r.count++
	s.handle = r.driver.Add(parent, kind, item.Label, func() {
		select {
		case r.clicks <- s:
		default: // nobody clicks that fast
		}
	})
	s.item.Label = item.Label
	return s
}

func (r *Renderer) show(s *slot, item Item, now time.Time) {
	if s.kind == Separator {
		return
	}
	if s.item.Key != item.Key || !s.visible {
		s.rekeyed = now
	}
	if s.item.Label != item.Label {
		s.handle.SetTitle(item.Label)
	}
	if s.item.Checked != item.Checked {
		s.handle.SetChecked(item.Checked)
	}
	if s.item.Disabled != item.Disabled {
		s.handle.SetEnabled(!item.Disabled)
	}
	if s.kind == Submenu {
		s.children = r.match(s.handle, s.children, item.Items, now)
	}
	// Last, because a toolkit may show an item when it changes.
	if !s.visible {
		s.handle.SetVisible(true)
		s.visible = true
	}
	s.item = item
}

func (r *Renderer) hide(s *slot) {
	if s.visible && s.kind != Separator {
		s.handle.SetVisible(false)
		s.visible = false
	}
}

// size counts items and those of their submenus.
func size(items []Item) int {
	n := len(items)
	for _, item := range items {
		n += size(item.Items)
	}
	return n
}
