package manager

import "github.com/holdfast/holdfast/manager/listing"

// What is published, under names of this package.
type (
	Tunnel     = listing.Tunnel
	Global     = listing.Global
	Change     = listing.Change
	ChangeKind = listing.ChangeKind
)

// What can happen to a row, or to the manager itself.
const (
	Added         = listing.Added
	Changed       = listing.Changed
	Removed       = listing.Removed
	GlobalChanged = listing.GlobalChanged
)

// Errors of the verbs.
var (
	ErrNoSuchTunnel = listing.ErrNoSuchTunnel
	ErrTunnelExists = listing.ErrTunnelExists
	ErrInvalidName  = listing.ErrInvalidName
	ErrNotStored    = listing.ErrNotStored
	ErrRefused      = listing.ErrRefused
	ErrUnderWay     = listing.ErrUnderWay
)
