package sshlink

import (
	"context"
	"errors"

	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/sshlink/openssh"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Dial makes one attempt to connect and to authenticate. ConnectTimeout limits the whole attempt,
// without the time that a person takes to answer. The attempt ends at once when ctx ends.
func (r *Resolved) Dial(ctx context.Context) (Link, error) {
	l, err := r.dial(ctx)
	if err != nil {
		return nil, err
	}
	return withTimeouts(l, r.ChannelTimeout), nil
}

func (r *Resolved) dial(ctx context.Context) (Link, error) {
	transport, why, err := r.chooseTransport(ctx)
	if err != nil {
		return nil, err
	}
	if transport != r.Transport {
		r.Log.Info("the transport is another now", "transport", transport, "because", why)
	}
	if transport == tunnelfile.TransportOpenSSH || r.fellBack.Load() {
		return r.dialOpenSSH(ctx)
	}
	l, err := native.Dial(ctx, r.Options, r.ask, r.mayFallBack())
	if err == nil {
		return l, nil
	}
	if !r.mayFallBack() || !errors.Is(err, login.ErrNoCommon) && !errors.Is(err, login.ErrBarred) {
		return nil, err
	}
	r.Log.Info("using the openssh transport", "because", err)
	instead, err := r.dialOpenSSH(ctx)
	if err == nil {
		r.fellBack.Store(true)
	}
	return instead, err
}

// dialOpenSSH is openssh.Dial. On an error it returns a nil Link, not a Link with a nil
// *openssh.Link in it.
func (r *Resolved) dialOpenSSH(ctx context.Context) (Link, error) {
	l, err := openssh.Dial(ctx, r.Options, r.ask)
	if err != nil {
		return nil, err
	}
	return l, nil
}
