package sshlink

import (
	"context"

	"github.com/holdfast/holdfast/tunnelfile"
)

// chooseTransport decides between the native and the openssh transport.
func (r *Resolved) chooseTransport(context.Context) error {
	if r.config.Transport == tunnelfile.TransportOpenSSH {
		return errorf(mistaken, "Transport=openssh: not built yet")
	}
	r.Transport = tunnelfile.TransportNative
	return nil
}

func (r *Resolved) mayFallBack() bool { return false }

func (r *Resolved) dialOpenSSH(context.Context) (*Link, error) {
	return nil, errorf(mistaken, "Transport=openssh: not built yet")
}
