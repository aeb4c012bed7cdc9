// Package manager holds the table of tunnels: files, units and network in,
// actions out. One goroutine owns the table and never blocks.
//
// It carries no tunnel data and keeps no lifecycle of its own: the unit is the tunnel.
package manager
