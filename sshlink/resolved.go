package sshlink

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/openssh"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Resolved is a destination that can be dialled, many times: what ssh_config(5) and the tunnel
// file say about the way there, and the transport that they ask for.
type Resolved struct {
	*config.Options

	Transport tunnelfile.Transport // native or openssh, as it was when this was resolved; Dial looks again
	Reason    string               // why Transport is what it is

	ask      asking.Asker // nil: nobody is there
	fellBack atomic.Bool  // only ssh itself could log in
}

// Resolve asks ssh what its configuration makes of the destination, and chooses the transport.
// Where a person is needed to log in, ask is asked; nil: nobody is there.
func Resolve(ctx context.Context, s config.Source, ask asking.Asker) (*Resolved, error) {
	o, err := config.Resolve(ctx, s)
	if err != nil {
		return nil, err
	}
	r := &Resolved{Options: o, ask: ask}
	if r.Transport, r.Reason, err = r.chooseTransport(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Renewed is what ssh makes of the destination now: r itself where nothing that it depends on
// has changed.
func (r *Resolved) Renewed(ctx context.Context) (*Resolved, error) {
	if !r.Outdated() {
		return r, nil
	}
	fresh, err := Resolve(ctx, r.Source, r.ask)
	if err != nil {
		return nil, err
	}
	if fresh.Options.Equal(r.Options) {
		fresh.fellBack.Store(r.fellBack.Load())
	}
	return fresh, nil
}

// Hops are the hosts of ProxyJump on the way to the destination, the nearest first, each
// with its own configuration.
func (r *Resolved) Hops() []*Resolved {
	var hops []*Resolved
	for hop := r.Jump; hop != nil; hop = hop.Jump {
		hops = slices.Insert(hops, 0, &Resolved{Options: hop, Transport: tunnelfile.TransportNative, ask: r.ask})
	}
	return hops
}

// OwnMaster is the socket of a ControlMaster that the person runs to the same place and that
// the openssh transport would use; empty: there is none.
func (r *Resolved) OwnMaster(ctx context.Context) string {
	return openssh.RunningMaster(ctx, r.Options)
}
