//go:build cgo

package indicator

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/getlantern/systray"

	"github.com/holdfast/holdfast/tray"
)

// Run shows the icon, and calls ready with its driver in a goroutine of its own. It returns nil
// after Quit, or ErrUnseen. Call it from the main goroutine.
func Run(icon func(tray.Icon) []byte, ready func(tray.Driver)) error {
	watchUnseen()
	setTheme()
	systray.Run(func() { ready(driver{icon}) }, nil)
	if unseen.Load() {
		return ErrUnseen
	}
	return nil
}

// Quit makes Run return. It may be called from any goroutine.
func Quit() { systray.Quit() }

type driver struct{ icon func(tray.Icon) []byte }

func (d driver) SetIcon(name tray.Icon) {
	describe(name)
	systray.SetIcon(d.icon(name))
}

func (d driver) Add(parent tray.Handle, kind tray.Kind, text string, onClick func()) tray.Handle {
	if kind == tray.Separator {
		systray.AddSeparator()
		return separator{}
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
	h.SetTitle(text)
	return h
}

type handle struct {
	item   *systray.MenuItem
	hidden bool
}

func (h *handle) SetTitle(text string) {
	h.item.SetTitle(label(text))
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
	} else {
		h.item.Hide()
	}
}

func (h *handle) hideAgain() {
	if h.hidden {
		h.item.Hide()
	}
}

// separator is never changed or hidden.
type separator struct{}

func (separator) SetTitle(string) {}
func (separator) SetChecked(bool) {}
func (separator) SetEnabled(bool) {}
func (separator) SetVisible(bool) {}

// maxLabel is the longest label, in characters.
const maxLabel = 80

// label returns a text in the form that a menu takes: valid UTF-8 on one line, with underscores
// doubled.
func label(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if utf8.RuneCountInString(text) > maxLabel {
		text = string([]rune(text)[:maxLabel-1]) + "…"
	}
	return strings.ReplaceAll(text, "_", "__")
}
