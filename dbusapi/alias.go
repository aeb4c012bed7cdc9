package dbusapi

import "github.com/holdfast/holdfast/manager/listing"

// What a client meets of the manager, under names of this package: a client needs to
// know no other.
type (
	Tunnel = listing.Tunnel
	Global = listing.Global
	Tally  = listing.Tally
)

// Count is how many tunnels are well, of those that are wanted, of all.
func Count(tunnels []Tunnel) Tally { return listing.Count(tunnels) }

// Errors of the manager that reach a client; errors.Is finds them. A text that does not
// parse is tunnelfile.Problems.
var (
	ErrNoSuchTunnel = listing.ErrNoSuchTunnel
	ErrTunnelExists = listing.ErrTunnelExists
	ErrInvalidName  = listing.ErrInvalidName
	ErrNotStored    = listing.ErrNotStored
	ErrRefused      = listing.ErrRefused
	ErrUnderWay     = listing.ErrUnderWay
)
