package sshlink

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// chooseTransport decides between the native and the openssh transport, and says why. The
// person's word is law; auto takes openssh only where the native one cannot do what ssh_config
// asks for. That may change from one attempt to the next: a ticket comes, a security key goes
// into the agent, a ControlMaster ends.
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
	for hop := r; hop != nil; hop = hop.jump {
		if why := hop.needsOpenSSH(ctx); why != "" {
			if hop != r {
				why = "ProxyJump " + hop.Host() + ": " + why
			}
			return tunnelfile.TransportOpenSSH, why, nil
		}
	}
	return tunnelfile.TransportNative, "nothing here needs another", nil
}

// auto says whether the choice is ours.
func (r *Resolved) auto() bool {
	return r.Source.Transport == tunnelfile.TransportAuto || r.Source.Transport == ""
}

// needsOpenSSH says what of one host's configuration only ssh itself can do; empty: nothing.
func (r *Resolved) needsOpenSSH(ctx context.Context) string {
	_, rekeysByTime := r.RekeyLimit()
	switch {
	case r.Yes("compression"):
		return "Compression=yes"
	case r.Option("pkcs11provider") != "":
		return "PKCS11Provider=" + r.Option("pkcs11provider")
	case r.Yes("hostbasedauthentication"):
		return "HostbasedAuthentication=yes"
	case r.Yes("verifyhostkeydns"):
		return "VerifyHostKeyDNS=yes"
	case rekeysByTime:
		return "RekeyLimit has a time"
	case r.mayUseTicket() && hasTicket(ctx):
		return "GSSAPIAuthentication=yes and there is a Kerberos ticket"
	case r.Yes("gssapikeyexchange") && hasTicket(ctx):
		return "GSSAPIKeyExchange=yes and there is a Kerberos ticket"
	}
	if _, err := r.algorithms(nil); errors.Is(err, errNoCommon) {
		return strings.TrimSuffix(err.Error(), "; set Transport=openssh")
	}
	if why := r.needsOpenSSHForKey(ctx); why != "" {
		return why
	}
	if path := r.runningMaster(ctx); path != "" {
		return "a ControlMaster of yours runs at " + text.Tilde(path)
	}
	return ""
}

// mayUseTicket says whether a Kerberos ticket would be used to log in.
func (r *Resolved) mayUseTicket() bool {
	return r.Yes("gssapiauthentication") && r.prefers("gssapi-with-mic")
}

// prefers says whether PreferredAuthentications has a method in it; by default it has all.
func (r *Resolved) prefers(method string) bool {
	order := r.List("preferredauthentications")
	return len(order) == 0 || slices.Contains(order, method)
}

// ticketTimeout bounds klist, which may ask a daemon.
const ticketTimeout = 2 * time.Second

// hasTicket says whether this person holds a Kerberos ticket that is still good. Without
// klist it goes by the ticket file.
func hasTicket(ctx context.Context) bool {
	if klist, err := exec.LookPath("klist"); err == nil {
		ctx, cancel := context.WithTimeout(ctx, ticketTimeout)
		defer cancel()
		return exec.CommandContext(ctx, klist, "-s").Run() == nil
	}
	path := strings.TrimPrefix(os.Getenv("KRB5CCNAME"), "FILE:")
	return path != "" && fileExists(path)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// needsOpenSSHForKey is why the first IdentityFile that no agent holds and that only ssh can use needs
// it; empty: there is none.
func (r *Resolved) needsOpenSSHForKey(ctx context.Context) string {
	var agent *agentConn
	for _, value := range r.Values("identityfile") {
		path := r.Path(value)
		if value == "none" || !fileExists(path) {
			continue
		}
		file, err := readKeyFile(path)
		if err != nil {
			continue
		}
		what := ""
		switch {
		case errors.Is(file.err, errFormat):
			what = " is a key in a format that only ssh can read"
		case file.public != nil && strings.HasPrefix(file.public.Type(), "sk-"):
			what = " is a security key that no agent holds"
		default:
			continue
		}
		if agent == nil {
			if agent = r.openAgent(ctx); agent != nil {
				defer agent.Close()
			}
		}
		if _, held := agent.find(file.public); !held {
			return text.Tilde(path) + what
		}
	}
	return ""
}

// mayFallBack says whether what the native transport cannot do may be tried by ssh itself: to agree
// with a server that has no algorithm in common with it, or to use a key that an agent keeps from it.
func (r *Resolved) mayFallBack() bool {
	_, err := exec.LookPath("ssh")
	return r.auto() && err == nil
}
