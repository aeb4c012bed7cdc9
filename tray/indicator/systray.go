//go:build cgo

package indicator

import (
	"strings"

	"github.com/getlantern/systray"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tray"
)

// Run shows the icon, and calls ready with its driver in a goroutine of its own. It returns nil
// after Quit, or ErrUnseen. Call it from the main goroutine.
func Run(ready func(tray.Driver)) error {
	watchUnseen()
	setTheme()
	systray.Run(func() { ready(driver{}) }, nil)
	if unseen.Load() {
		return ErrUnseen
	}
	return nil
}

// Quit makes Run return. It may be called from any goroutine.
func Quit() { systray.Quit() }

type driver struct{}

func (driver) SetIcon(name tray.Icon) {
	describe(name)
	systray.SetIcon(tray.Picture(name))
}

func (driver) Add(parent tray.Handle, kind tray.Kind, title string, onClick func()) tray.Handle {
	if kind == tray.Separator {
		systray.AddSeparator()
		return nil
	}
	const placeholder = "…"
	var item *systray.MenuItem
	switch p, _ := parent.(*handle); {
	case p == nil && kind == tray.Check:
		item = systray.AddMenuItemCheckbox(placeholder, "", false)
	case p == nil:
		item = systray.AddMenuItem(placeholder, "")
	case kind == tray.Check:
		item = p.item.AddSubMenuItemCheckbox(placeholder, "", false)
	default:
		item = p.item.AddSubMenuItem(placeholder, "")
	}
	go func() {
		for range item.ClickedCh {
			onClick()
		}
	}()
	h := &handle{item: item}
	h.SetTitle(title)
	return h
}

type handle struct {
	item   *systray.MenuItem
	hidden bool
}

func (h *handle) SetTitle(title string) {
	h.item.SetTitle(label(title))
	h.hideAgain()
}

func (h *handle) SetChecked(checked bool) {
	if checked {
		h.item.Check()
	} else {
		h.item.Uncheck()
	}
	h.hideAgain()
}

func (h *handle) SetEnabled(enabled bool) {
	if enabled {
		h.item.Enable()
	} else {
		h.item.Disable()
	}
	h.hideAgain()
}

func (h *handle) SetVisible(visible bool) {
	h.hidden = !visible
	if visible {
		h.item.Show()
	}
	h.hideAgain()
}

func (h *handle) hideAgain() {
	if h.hidden {
		h.item.Hide()
	}
}

// maxLabel is the longest label, in characters.
const maxLabel = 80

// label returns a title in the form that a menu takes: valid UTF-8 on one line, with underscores
// doubled.
func label(title string) string {
	title = text.Bound(text.Printable(strings.ToValidUTF8(title, "?")), maxLabel)
	return strings.ReplaceAll(title, "_", "__")
}
