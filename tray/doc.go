// Package tray shows the tunnels in the desktop's notification area: a menu, an icon,
// notifications, and dialogs for what only a person can answer.
//
// ViewOf computes the menu from the daemon's snapshot and what the tray remembers. A Renderer
// changes the existing menu to match it, through a Driver. Package indicator is the Driver for real
// desktops. One goroutine, App.Run, owns all of it.
//
// The package is a client of the D-Bus API. It knows nothing of systemd, of ssh or of where tunnel
// files are. Nothing that matters is lost when its process ends, at any time.
package tray
