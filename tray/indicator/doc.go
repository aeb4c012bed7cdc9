// Package indicator is the tray's Driver for real desktops. It shows a StatusNotifierItem with
// libayatana-appindicator, through getlantern/systray. A build without cgo has no driver.
//
// No other package may call systray. Each rule of this package was learned from a crash:
//   - One goroutine calls systray. It never calls systray.SetTitle or SetTooltip: they corrupt
//     memory.
//   - The bytes of an icon are never freed: the library does not copy them.
//   - Any change to a hidden item shows it, so it is hidden again after each change.
//   - A label is set after the item was made, with underscores doubled: GTK makes access keys of
//     them.
//   - An item's channel drops a click if nobody receives, so a goroutine always receives.
package indicator
