// Package config turns what ssh_config(5) and a tunnel file say about a destination into a plain
// value, [Options].
//
// It asks ssh itself (ssh -G) for the values. It reads the files only to see where a setting comes
// from and whether something has changed. It makes no connection and knows no SSH client.
package config
