// Package systemdctl makes, watches and controls transient units of a systemd
// manager over D-Bus (org.freedesktop.systemd1(5)).
//
// It does not know what ssh or a tunnel is.
package systemdctl
