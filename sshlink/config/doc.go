// Package config is what ssh_config(5) and a tunnel file come to, as a plain value: [Options].
//
// It asks ssh itself (ssh -G) and reads the files only to say where a setting comes from.
// It makes no connection and knows no SSH client.
package config
