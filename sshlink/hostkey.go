package sshlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// hostKeys checks the key of one server, as ssh's check_host_key does.
type hostKeys struct {
	r       *Resolved
	ctx     context.Context // of the attempt; ends also when the server goes away
	attempt *asking.Attempt

	name     string // as known_hosts has it: HostKeyAlias, host, or [host]:port
	bare     string // host without port, where name has one; else empty
	known    knownKeys
	accepted ssh.PublicKey // the key that passed
	invalid  error         // why its certificate does not prove it
	failed   error         // of KnownHostsCommand
}

// newHostKeys reads what is known of the server.
func (r *Resolved) newHostKeys(ctx context.Context, a *asking.Attempt) *hostKeys {
	h := &hostKeys{r: r, ctx: ctx, attempt: a}
	h.name, h.bare = r.knownName()
	h.known = h.read(h.name)
	return h
}

// knownName is the name under which known_hosts files have the server, and the same without
// its port, where it has one.
func (r *Resolved) knownName() (name, bare string) {
	if alias := r.Option("hostkeyalias"); alias != "" {
		return strings.ToLower(alias), ""
	}
	host := strings.ToLower(r.HostName)
	if r.Port == 22 {
		return host, ""
	}
	return fmt.Sprintf("[%s]:%d", host, r.Port), host
}

// read collects the lines about a name from the person's files, the system's, and
// KnownHostsCommand.
func (h *hostKeys) read(name string) knownKeys {
	r := h.r
	files := slices.Concat(r.Files("userknownhostsfile"), r.Files("globalknownhostsfile"))
	known := readKnownHosts(files, name, r.Log)
	more, err := r.askKnownHostsCommand(h.ctx, name)
	if err != nil {
		h.failed = err
	}
	return append(known, more...)
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if h.accepted != nil && sameKey(h.accepted, key) {
		return nil // a rekey
	}
	if err := h.decide(remote, key); err != nil {
		return err
	}
	h.accepted = key
	return nil
}

func (h *hostKeys) decide(remote net.Addr, key ssh.PublicKey) error {
	if h.r.Yes("nohostauthenticationforlocalhost") && isLoopback(remote) && h.r.Option("hostkeyalias") == "" {
		return nil
	}
	if h.failed != nil {
		return h.failed
	}
	if err := h.r.checkRSASize(key); err != nil {
		return err
	}
	if err := h.r.checkRevoked(h.ctx, key); err != nil {
		return err
	}
	if k, ok := h.known.revokes(key); ok {
		return h.r.revokedAt(k.place(), fingerprint(plain(key)))
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		if _, ok := h.known.authority(cert.SignatureKey); ok {
			err := h.checkCertificate(cert)
			if err == nil {
				return nil
			}
			h.invalid = err
		}
		// A certificate that proves nothing to us: the key in it is checked like any other,
		// as ssh does.
		key = cert.Key
	}
	known := h.known.plainKeys()
	if slices.ContainsFunc(known, func(k knownKey) bool { return sameKey(k.key, key) }) {
		return nil
	}
	if len(known) == 0 && h.bare != "" {
		// As ssh does: a line without a port stands for every port, but only to say yes.
		for _, k := range h.read(h.bare).plainKeys() {
			if sameKey(k.key, key) {
				return nil
			}
		}
	}
	if len(known) > 0 {
		return h.changed(known, key)
	}
	return h.unknown(key)
}

// changed is the error for a server that known_hosts has other keys of.
func (h *hostKeys) changed(known knownKeys, key ssh.PublicKey) error {
	return h.changedTo(known, fingerprint(key))
}

// changedTo is changed for who knows only the fingerprint, "TYPE SHA256:…". The line with a key of
// the same kind, which is the one to compare with, comes first.
func (h *hostKeys) changedTo(known knownKeys, shown string) error {
	if len(known) == 0 {
		return fault.New(fault.HostKeyUnknown, "the host key of %s has changed: DNS has the fingerprint of another, the server shows %s; "+
			"somebody may be listening in, or the server was set up anew: ask its owner", h.r.HostName, shown)
	}
	const most = 3
	kind, _, _ := strings.Cut(shown, " ")
	known = slices.Clone(known)
	slices.SortStableFunc(known, func(a, b knownKey) int {
		switch sameA, sameB := a.key.Type() == kind, b.key.Type() == kind; {
		case sameA && !sameB:
			return -1
		case sameB && !sameA:
			return 1
		}
		return 0
	})
	var lines, mends []string
	for i, k := range known {
		if i < most {
			lines = append(lines, fmt.Sprintf("%s has %s", text.Tilde(k.place()), fingerprint(k.key)))
		}
		if mend := fmt.Sprintf("ssh-keygen -f %s -R %s", tunnelfile.ShellWord(k.file), tunnelfile.ShellWord(h.name)); k.file != byCommand && !slices.Contains(mends, mend) {
			mends = append(mends, mend)
		}
	}
	if more := len(known) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more lines", more))
	}
	then := ""
	if len(mends) > 0 {
		then = ", then run " + strings.Join(mends, " && ")
	}
	return fault.New(fault.HostKeyUnknown, "the host key of %s has changed: %s, the server shows %s; "+
		"somebody may be listening in, or the server was set up anew: ask its owner%s",
		h.r.HostName, strings.Join(lines, ", "), shown, then)
}

// Why a host key that nobody had recorded was not taken.
const (
	nobodyToConfirm = " and nobody is there to say whether it is right"
	notConfirmed    = " and was not accepted"
)

// unknown decides about a key of a host that no known_hosts line is about.
func (h *hostKeys) unknown(key ssh.PublicKey) error {
	switch h.r.Option("stricthostkeychecking") {
	case "no", "off", "false", "accept-new":
		return h.record(key)
	case "yes", "true":
		return h.stranger(key, "")
	}
	if h.r.Yes("batchmode") {
		return h.stranger(key, nobodyToConfirm)
	}
	yes, err := h.attempt.Confirm(h.ctx, asking.Question{
		Kind: asking.KindHostKey, Subject: h.name, Prompt: h.prompt(key), Echo: true,
	})
	if err != nil {
		if h.ctx.Err() != nil {
			return fault.Wrap(fault.Unreachable, context.Cause(h.ctx), "the question for the host key of %s was left open", h.r.HostName)
		}
		return h.stranger(key, nobodyToConfirm)
	}
	if !yes {
		return h.stranger(key, notConfirmed)
	}
	return h.record(key)
}

func (h *hostKeys) stranger(key ssh.PublicKey, why string) error {
	if h.invalid != nil {
		why += " (" + h.invalid.Error() + ")"
	}
	return h.r.strangerError(fingerprint(key), why)
}

func (r *Resolved) strangerError(shown, why string) error {
	return fault.New(fault.HostKeyUnknown, "the host key of %s is not known%s: %s; run: %s", r.HostName, why, shown, r.trustHint())
}

func (r *Resolved) revokedAt(place, shown string) error {
	return fault.New(fault.HostKeyUnknown, "the host key of %s is marked as revoked at %s: %s; do not connect until its owner has explained it",
		r.HostName, text.Tilde(place), shown)
}

// trustHint is the command that shows and records a server's host keys.
func (r *Resolved) trustHint() string {
	if r.Source.Name != "" && tunnelfile.OfSystem(os.Getenv) {
		return "holdfast --system trust " + r.Source.Name
	}
	if r.Source.Name != "" {
		return "holdfast trust " + r.Source.Name
	}
	return fmt.Sprintf("ssh-keyscan -p %d %s", r.Port, tunnelfile.ShellWord(r.HostName))
}

// prompt is what a person is shown before they say yes, in ssh's words.
func (h *hostKeys) prompt(key ssh.PublicKey) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The authenticity of host '%s' can't be established.\n%s\n%s", h.name, fingerprint(key), randomart(key))
	if h.invalid != nil {
		fmt.Fprintf(&b, "It showed a certificate: %v\n", h.invalid)
	}
	b.WriteString("Are you sure you want to continue connecting?")
	return b.String()
}

// record writes the key to the person's first known_hosts file. Failing that is no reason
// not to connect, as in ssh.
func (h *hostKeys) record(key ssh.PublicKey) error {
	files := h.r.Files("userknownhostsfile")
	if len(files) == 0 {
		return nil
	}
	if err := recordHostKey(files[0], h.name, key, h.r.Yes("hashknownhosts")); err != nil {
		h.r.Log.Warn("host key not recorded", "host", h.name, "err", err)
		return nil
	}
	h.r.Log.Info("host key recorded", "host", h.name, "key", fingerprint(key), "file", files[0])
	return nil
}

// checkCertificate checks a host certificate whose authority is known.
func (h *hostKeys) checkCertificate(cert *ssh.Certificate) error {
	host := strings.ToLower(h.r.HostName)
	if alias := h.r.Option("hostkeyalias"); alias != "" {
		host = strings.ToLower(alias)
	}
	if cert.CertType != ssh.HostCert {
		return errors.New("its certificate is not one for a host")
	}
	if allowed := h.r.List("casignaturealgorithms"); len(allowed) > 0 && !slices.Contains(allowed, cert.Signature.Format) {
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

// fingerprint is "ssh-ed25519 SHA256:…".
func fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }
