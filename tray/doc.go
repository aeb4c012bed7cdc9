// Package tray shows the tunnels in the desktop's notification area: a menu, an icon,
// notifications, and dialogs for what only a person can answer.
//
// The menu is a pure function of what the daemon says (ViewOf); a Renderer brings a
// menu that exists in line with it through a Driver, of which package indicator is the
// one for real desktops. One goroutine, App.Run, owns all of it.
//
// It is a client of the D-Bus API and knows nothing of systemd, ssh or tunnel files'
// whereabouts. It keeps nothing that matters: its process may end at any time.
package tray
