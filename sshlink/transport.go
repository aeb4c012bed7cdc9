package sshlink

import (
	"context"
	"errors"
	"os/exec"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/sshlink/openssh"
	"github.com/holdfast/holdfast/tunnelfile"
)

// chooseTransport chooses the native or the openssh transport, and returns the reason. Transport=
// in the tunnel file always wins. With auto it chooses openssh only if ssh_config(5) asks for
// something that the native transport cannot do. The result may change between attempts: a Kerberos
// ticket is obtained, a security key is added to the agent, a ControlMaster ends.
func (r *Resolved) chooseTransport(ctx context.Context) (tunnelfile.Transport, string, error) {
	_, missing := exec.LookPath("ssh")
	switch {
	case r.Source.Transport == tunnelfile.TransportOpenSSH && missing != nil:
		return "", "", fault.New(fault.Settings, "Transport=openssh: there is no ssh program here")
	case !r.auto():
		return r.Source.Transport, "the tunnel file asks for it", nil
	case missing != nil:
		return tunnelfile.TransportNative, "there is no ssh program here", nil
	}
	for hop := r.Options; hop != nil; hop = hop.Jump {
		if why := needsOpenSSH(ctx, hop); why != "" {
			if hop != r.Options {
				why = "ProxyJump " + hop.Host() + ": " + why
			}
			return tunnelfile.TransportOpenSSH, why, nil
		}
	}
	return tunnelfile.TransportNative, "nothing here needs another", nil
}

// auto says whether Holdfast chooses the transport.
func (r *Resolved) auto() bool {
	return r.Source.Transport == tunnelfile.TransportAuto || r.Source.Transport == ""
}

// needsOpenSSH is what one host's configuration needs that only ssh itself can do, or empty if
// there is nothing.
func needsOpenSSH(ctx context.Context, o *config.Options) string {
	_, rekeysByTime := o.RekeyLimit()
	switch {
	case o.Yes("compression"):
		return "Compression=yes"
	case o.Option("pkcs11provider") != "":
		return "PKCS11Provider=" + o.Option("pkcs11provider")
	case o.Yes("hostbasedauthentication"):
		return "HostbasedAuthentication=yes"
	case o.Yes("checkhostip"):
		return "CheckHostIP=yes"
	case o.Yes("verifyhostkeydns"):
		return "VerifyHostKeyDNS=yes"
	case rekeysByTime:
		return "RekeyLimit has a time"
	case login.MayUseTicket(o) && login.HasTicket(ctx):
		return "GSSAPIAuthentication=yes and there is a Kerberos ticket"
	case o.Yes("gssapikeyexchange") && login.HasTicket(ctx):
		return "GSSAPIKeyExchange=yes and there is a Kerberos ticket"
	}
	if _, err := native.Algorithms(o, nil); errors.Is(err, login.ErrNoCommon) {
		return strings.TrimSuffix(err.Error(), "; set Transport=openssh")
	}
	if why := login.NeedsOpenSSH(ctx, o); why != "" {
		return why
	}
	if path := openssh.RunningMaster(ctx, o); path != "" {
		return "a ControlMaster of yours runs at " + text.Tilde(path)
	}
	return ""
}

// mayFallBack says whether ssh itself may be tried after the native transport: ssh may have an
// algorithm in common with the server, and an agent may sign for ssh with a key that it refuses to
// us.
func (r *Resolved) mayFallBack() bool {
	_, err := exec.LookPath("ssh")
	return r.auto() && err == nil
}
