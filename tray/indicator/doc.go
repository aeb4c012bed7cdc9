// Package indicator is the tray's Driver for real desktops: a StatusNotifierItem, made
// by libayatana-appindicator through getlantern/systray. A build without cgo has none.
//
// Nothing else may call systray. What this package keeps to was each learned from a crash:
//   - One goroutine calls it. systray.SetTitle and SetTooltip are never called: they
//     corrupt memory.
//   - An icon's bytes are never freed, for the library does not copy them.
//   - Any change to a hidden item shows it again, so it is hidden again after each.
//   - A label is set after the item was made, with underscores doubled: GTK makes
//     access keys of them.
//   - An item's channel drops clicks that nobody waits for, so somebody always does.
package indicator
