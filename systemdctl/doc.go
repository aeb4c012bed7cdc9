// Package systemdctl makes, watches and controls transient units of a systemd manager over D-Bus
// (org.freedesktop.systemd1(5)), and turns settings of unit files into their properties.
//
// It does not know what ssh is.
package systemdctl
