// Package portable exports and imports tunnels. It exports them to ssh, autossh and systemd units, for
// people without Holdfast. It imports them from scripts, units, crontabs and other files where such
// people have them.
//
// It reads files and text. It writes nothing, runs nothing, and asks neither ssh nor a daemon.
package portable
