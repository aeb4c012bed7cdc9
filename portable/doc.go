// Package portable carries tunnels over: to ssh, autossh and systemd units for those who have
// no Holdfast, and from the places where people without it keep theirs.
//
// It reads files and text. It writes nothing, runs nothing, and asks neither ssh nor a daemon.
package portable
