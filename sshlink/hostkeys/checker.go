package hostkeys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
)

// Checker checks the key of one server, as ssh's check_host_key does.
type Checker struct {
	o       *config.Options
	ctx     context.Context // of the attempt; also ends when the server closes the connection
	attempt *asking.Attempt

	Name     string        // in known_hosts: HostKeyAlias, host, or [host]:port
	bare     string        // host without port, if Name has a port; else empty
	Known    Lines         // the lines about Name
	Accepted ssh.PublicKey // the key that was accepted; nil until then

	invalid error // why the server's certificate is not valid
	failed  error // of KnownHostsCommand
}

// For reads what is known of the server. a asks a person about an unknown key; it is nil if there
// is nobody to ask.
func For(ctx context.Context, o *config.Options, a *asking.Attempt) *Checker {
	h := &Checker{o: o, ctx: ctx, attempt: a}
	h.Name, h.bare = NameOf(o)
	h.Known = h.read(h.Name)
	return h
}

// NameOf is the name of the server in known_hosts files. bare is the same without the port, or
// empty if name has no port.
func NameOf(o *config.Options) (name, bare string) {
	if alias := o.Option("hostkeyalias"); alias != "" {
		return strings.ToLower(alias), ""
	}
	host := strings.ToLower(o.HostName)
	if o.Port == 22 {
		return host, ""
	}
	return fmt.Sprintf("[%s]:%d", host, o.Port), host
}

// HeardOf says whether any known_hosts line is about this machine.
func (h *Checker) HeardOf() bool {
	return len(h.Known) > 0 || h.bare != "" && len(h.read(h.bare).plain()) > 0
}

// read collects the lines about a name from the person's files, the system's, and
// KnownHostsCommand.
func (h *Checker) read(name string) Lines {
	files := slices.Concat(h.o.Files("userknownhostsfile"), h.o.Files("globalknownhostsfile"))
	known := readKnownHosts(files, name, h.o.Log)
	more, err := askKnownHostsCommand(h.ctx, h.o, name)
	if err != nil {
		h.failed = err
	}
	return append(known, more...)
}

// Check is the ssh.HostKeyCallback.
func (h *Checker) Check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if h.Accepted != nil && Same(h.Accepted, key) {
		return nil // a rekey
	}
	if err := h.decide(remote, key); err != nil {
		return err
	}
	h.Accepted = key
	return nil
}

func (h *Checker) decide(remote net.Addr, key ssh.PublicKey) error {
	if h.o.Yes("nohostauthenticationforlocalhost") && isLoopback(remote) && h.o.Option("hostkeyalias") == "" {
		return nil
	}
	if h.failed != nil {
		return h.failed
	}
	if err := checkRSASize(h.o, key); err != nil {
		return err
	}
	if err := checkRevoked(h.ctx, h.o, key); err != nil {
		return err
	}
	if k, ok := h.Known.revokes(key); ok {
		return revokedAt(h.o, k.Place(), Fingerprint(Plain(key)))
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		if _, ok := h.Known.authority(cert.SignatureKey); ok {
			err := h.checkCertificate(cert)
			if err == nil {
				return nil
			}
			h.invalid = err
		}
		// The certificate proves nothing. Check the key in it like any other, as ssh does.
		key = cert.Key
	}
	known := h.Known.plain()
	switch {
	case known.has(key):
		return nil
	case len(known) == 0 && h.bare != "" && h.read(h.bare).plain().has(key):
		return nil // as in ssh, a line without a port counts for every port, but only to confirm a key
	case len(known) > 0:
		return h.Changed(Fingerprint(key))
	}
	return h.unknown(key)
}

// unknown decides about the key of a host that has no line in known_hosts.
func (h *Checker) unknown(key ssh.PublicKey) error {
	switch h.o.Option("stricthostkeychecking") {
	case "no", "off", "false", "accept-new":
		return h.record(key)
	case "yes", "true":
		return h.stranger(key, "")
	}
	if h.o.Yes("batchmode") {
		return h.stranger(key, NobodyToConfirm)
	}
	yes, err := h.attempt.Confirm(h.ctx, asking.Question{
		Kind: asking.KindHostKey, Subject: h.Name, Prompt: h.prompt(key), Echo: true,
	})
	if err != nil {
		if h.ctx.Err() != nil {
			return fault.Wrap(fault.Unreachable, context.Cause(h.ctx), "the question for the host key of %s was left open", h.o.HostName)
		}
		return h.stranger(key, NobodyToConfirm)
	}
	if !yes {
		return h.stranger(key, NotConfirmed)
	}
	return h.record(key)
}

func (h *Checker) stranger(key ssh.PublicKey, why string) error {
	if h.invalid != nil {
		why += " (" + h.invalid.Error() + ")"
	}
	return Stranger(h.o, Fingerprint(key), why)
}

// prompt is the question for the person, in ssh's words.
func (h *Checker) prompt(key ssh.PublicKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The authenticity of host '%s' can't be established.\n%s\n%s", h.Name, Fingerprint(key), Randomart(key))
	if h.invalid != nil {
		fmt.Fprintf(&b, "It showed a certificate: %v\n", h.invalid)
	}
	b.WriteString("Are you sure you want to continue connecting?")
	return b.String()
}

// record appends the keys to the person's first known_hosts file. If that fails, the connection
// still goes on, as in ssh.
func (h *Checker) record(keys ...ssh.PublicKey) error {
	files := h.o.Files("userknownhostsfile")
	if len(files) == 0 {
		return nil
	}
	if err := recordHostKeys(files[0], h.Name, h.o.Yes("hashknownhosts"), keys...); err != nil {
		h.o.Log.Warn("host key not recorded", "host", h.Name, "err", err)
		return nil
	}
	for _, key := range keys {
		h.o.Log.Info("host key recorded", "host", h.Name, "key", Fingerprint(key), "file", files[0])
	}
	return nil
}

// checkCertificate checks a host certificate of an authority that known_hosts has.
func (h *Checker) checkCertificate(cert *ssh.Certificate) error {
	host := strings.ToLower(cmp.Or(h.o.Option("hostkeyalias"), h.o.HostName))
	if cert.CertType != ssh.HostCert {
		return errors.New("its certificate is not one for a host")
	}
	if allowed := h.o.List("casignaturealgorithms"); len(allowed) > 0 && !slices.Contains(allowed, cert.Signature.Format) {
		return fmt.Errorf("its certificate is signed with %s, which CASignatureAlgorithms does not allow", cert.Signature.Format)
	}
	checker := ssh.CertChecker{Clock: time.Now}
	if err := checker.CheckCert(host, cert); err != nil {
		return fmt.Errorf("its certificate is not valid: %s", strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return nil
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// checkRSASize enforces RequiredRSASize.
func checkRSASize(o *config.Options, key ssh.PublicKey) error {
	bits, least := RSABits(key), o.Number("requiredrsasize")
	if bits > 0 && bits < least {
		return fault.New(fault.HostKeyUnknown, "the RSA host key of %s has only %d bits; RequiredRSASize asks for %d", o.HostName, bits, least)
	}
	return nil
}
