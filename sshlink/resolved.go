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

// Resolved is a destination that can be dialled many times: what ssh_config(5) and the tunnel file
// say about the way there, and the transport that follows from that.
type Resolved struct {
	*config.Options

	Transport tunnelfile.Transport // native or openssh, as Resolve chose it; Dial chooses anew
	Reason    string               // why Transport is what it is

	ask      asking.Asker // nil if there is nobody to ask
	fellBack atomic.Bool  // the native transport failed and ssh logged in: Dial uses ssh from then on
}

// Resolve asks ssh what its configuration means for the destination, and chooses the transport. ask
// gets the questions of a login; it is nil if there is nobody to ask.
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

// Renewed resolves the destination anew. It returns r itself if nothing that r depends on has
// changed.
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

// Hops are the ProxyJump hosts on the way to the destination, each with its own configuration. The
// one nearest to us comes first.
func (r *Resolved) Hops() []*Resolved {
	var hops []*Resolved
	for hop := r.Jump; hop != nil; hop = hop.Jump {
		hops = slices.Insert(hops, 0, &Resolved{Options: hop, Transport: tunnelfile.TransportNative, ask: r.ask})
	}
	return hops
}

// OwnMaster is the control socket of a ControlMaster that the person runs to the same destination
// and that the openssh transport would use. It is empty if there is none.
func (r *Resolved) OwnMaster(ctx context.Context) string {
	return openssh.RunningMaster(ctx, r.Options)
}
