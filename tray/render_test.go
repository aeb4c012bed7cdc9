package tray

import (
	"math/rand/v2"
	"testing"
	"time"
)

// menu is a Driver that behaves as GTK does: items are appended and never go away, a
// change to a hidden one is shown again by nobody but its handle.
type menu struct {
	icon  Icon
	icons int
	items []*menuItem
}

type menuItem struct {
	kind    Kind
	title   string
	checked bool
	enabled bool
	visible bool
	click   func()
	items   []*menuItem
}

func (m *menu) SetIcon(i Icon) { m.icon, m.icons = i, m.icons+1 }

func (m *menu) Add(parent Handle, kind Kind, label string, onClick func()) Handle {
	item := &menuItem{kind: kind, title: label, enabled: true, visible: true, click: onClick}
	if p, ok := parent.(*menuItem); ok {
		p.items = append(p.items, item)
	} else {
		m.items = append(m.items, item)
	}
	if kind == Separator {
		return nil
	}
	return item
}

func (i *menuItem) SetTitle(s string) { i.title = s }
func (i *menuItem) SetChecked(b bool) { i.checked = b }
func (i *menuItem) SetEnabled(b bool) { i.enabled = b }
func (i *menuItem) SetVisible(b bool) { i.visible = b }

// seen is a menu as a person sees it.
func seen(items []*menuItem) []Item {
	var list []Item
	for _, i := range items {
		if i.visible {
			list = append(list, Item{Kind: i.kind, Label: i.title, Checked: i.checked, Disabled: !i.enabled, Items: seen(i.items)})
		}
	}
	return list
}

// find is the visible item with this label.
func find(items []*menuItem, label string) *menuItem {
	for _, i := range items {
		if i.visible && i.title == label {
			return i
		}
		if found := find(i.items, label); found != nil {
			return found
		}
	}
	return nil
}

func TestRenderRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		m := &menu{}
		renderer := NewRenderer(m)
		now := noon
		for range 6 {
			model := randomModel(r)
			v := ViewOf(model)
			now = now.Add(2 * time.Second)
			if next := renderer.Render(v, now); !next.IsZero() {
				t.Fatalf("icon has to wait %v after 2 s", next)
			}
			if got, want := Dump(View{m.icon, seen(m.items)}), Dump(v); got != want {
				t.Fatalf("the menu is\n%s\nwant\n%s", got, want)
			}
		}
	}
}

func TestRenderIconPause(t *testing.T) {
	m := &menu{}
	r := NewRenderer(m)
	r.Render(View{Icon: IconUp}, noon)
	if next := r.Render(View{Icon: IconWorking}, noon.Add(300*time.Millisecond)); !next.Equal(noon.Add(time.Second)) || m.icon != IconUp {
		t.Errorf("after 0.3 s: next at %v, icon %s", next, m.icon)
	}
	if next := r.Render(View{Icon: IconAttention}, noon.Add(time.Second)); !next.IsZero() || m.icon != IconAttention || m.icons != 2 {
		t.Errorf("after 1 s: next at %v, icon %s, set %d times", next, m.icon, m.icons)
	}
}

func TestRenderClicks(t *testing.T) {
	m := &menu{}
	r := NewRenderer(m)
	view := func(key string, disabled bool) View {
		return View{Icon: IconUp, Items: []Item{{Key: key, Label: "one", Disabled: disabled}, {Kind: Separator},
			{Key: "sub", Kind: Submenu, Label: "two", Items: []Item{{Key: "box", Kind: Check, Label: "three", Checked: true}}}}}
	}
	click := func(label string, now time.Time) (string, bool) {
		find(m.items, label).click()
		return (<-r.clicks).clicked(now)
	}
	r.Render(view("a", false), noon)
	if c, ok := click("one", noon.Add(time.Second)); !ok || c != "a" {
		t.Errorf("click: %+v, %v", c, ok)
	}
	r.Render(view("b", false), noon.Add(2*time.Second))
	if c, ok := click("one", noon.Add(2200*time.Millisecond)); ok {
		t.Errorf("a click right after a change is taken for %+v", c)
	}
	if c, ok := click("one", noon.Add(2400*time.Millisecond)); !ok || c != "b" {
		t.Errorf("later: %+v, %v", c, ok)
	}
	r.Render(view("b", true), noon.Add(3*time.Second))
	if c, ok := click("one", noon.Add(4*time.Second)); ok {
		t.Errorf("a disabled item: %+v", c)
	}
	if c, ok := click("two", noon.Add(4*time.Second)); !ok || c != "sub" {
		t.Errorf("a submenu: %+v, %v", c, ok)
	}
	box := find(m.items, "three")
	box.checked = false // as GTK does by itself
	if c, ok := click("three", noon.Add(4*time.Second)); !ok || c != "box" || !box.checked {
		t.Errorf("a check: %+v, %v, checked %v", c, ok, box.checked)
	}
}

// TestRedraw: a panel that has just come may have missed the icon, which did not change since. It
// is set again, once, and not while the panel still starts.
func TestRedraw(t *testing.T) {
	m := &menu{}
	r := NewRenderer(m)
	view, now := View{Icon: IconUp}, time.Now()
	r.Render(view, now)
	now = now.Add(time.Hour)
	r.Redraw(now)
	if next := r.Render(view, now); !next.After(now) || m.icons != 1 {
		t.Errorf("set %d times when the panel had just come, next at %v", m.icons, next)
	}
	now = now.Add(iconPause)
	for range 2 {
		if next := r.Render(view, now); !next.IsZero() || m.icons != 2 || m.icon != IconUp {
			t.Errorf("%v set %d times, next at %v; want it twice", m.icon, m.icons, next)
		}
	}
}

// TestSubmenusFromTheStart: Plasma makes no submenu of an item that it has seen without one.
func TestSubmenusFromTheStart(t *testing.T) {
	m := &menu{}
	NewRenderer(m)
	for n, item := range m.items {
		if item.kind == Submenu && len(item.items) == 0 {
			t.Errorf("slot %d is a submenu with nothing in it", n)
		}
	}
	if shown := seen(m.items); len(shown) != 2 { // the separators
		t.Errorf("before the first view there is %v", shown)
	}
}
