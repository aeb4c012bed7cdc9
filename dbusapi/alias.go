package dbusapi

import "github.com/holdfast/holdfast/manager"

// What a client meets of the manager, under names of this package: a client needs to
// know no other.
type (
	Tunnel = manager.Tunnel
	Global = manager.Global
)

// Errors of the manager that reach a client; errors.Is finds them. A text that does not
// parse is tunnelfile.Problems.
var (
	ErrNoSuchTunnel = manager.ErrNoSuchTunnel
	ErrTunnelExists = manager.ErrTunnelExists
	ErrInvalidName  = manager.ErrInvalidName
	ErrNotStored    = manager.ErrNotStored
	ErrRefused      = manager.ErrRefused
)
