// Package listing has what the daemon publishes about its tunnels: the rows of the manager's table,
// and the errors of its verbs. A client needs nothing else of the manager.
package listing

import (
	"errors"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Tunnel is a snapshot of one row of the table: all that the bus shows of a tunnel.
type Tunnel struct {
	Name          string
	Description   string
	Destination   string
	FilePath      string
	Text          string // of the tunnel file
	Unit          string // name of its service unit
	StartMode     tunnelfile.StartMode
	Tags          []string
	State         tunnelfile.State
	Reason        fault.Reason // why it is not well; None when it is
	Status        string       // one line for people
	WorkerVersion string       // of the program that runs; "" when none does
	StateSince    time.Time    // zero: not known
	UpSince       time.Time    // zero: not up
	NextTry       time.Time    // zero: none planned

	LocalForward, RemoteForward, DynamicForward []string // as written

	Forwards []tunnelfile.ForwardReport
}

// Line is the state of a tunnel with its reason and status.
func (t Tunnel) Line() tunnelfile.Status {
	return tunnelfile.Status{State: t.State, Reason: t.Reason, Text: t.Status}
}

// Global is what the bus shows of the manager itself.
type Global struct {
	Version       string
	Network       string // online, limited, portal, offline, unknown
	NetworkSource string // NetworkManager, networkd, netlink
	Problems      []tunnelfile.Problem
}

// ChangeKind says what happened to a row.
type ChangeKind int

// The kinds of change of a row, or of the manager itself.
const (
	Added ChangeKind = iota
	Changed
	Removed
	GlobalChanged
)

// Change is one difference between what was published before and what is published now. Subscribers
// get changes in order, and never from the goroutine that owns the table.
type Change struct {
	Kind     ChangeKind
	Old, New Tunnel // Old for Changed and Removed, New for Added and Changed

	OldGlobal, NewGlobal Global // for GlobalChanged
}

// Errors of the manager's verbs. A text that does not parse gives tunnelfile.Problems instead.
var (
	ErrNoSuchTunnel = errors.New("no such tunnel")
	ErrTunnelExists = errors.New("tunnel exists already")
	ErrInvalidName  = errors.New("not a tunnel name")
	ErrNotStored    = errors.New("not stored")
	ErrRefused      = errors.New("refused")
	ErrUnderWay     = errors.New("still under way") // the time of the call is over, but the work goes on
)
