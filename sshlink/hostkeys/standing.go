package hostkeys

import (
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
	"golang.org/x/crypto/ssh"
)

// ServerKeys are the host keys that one machine on the way shows.
type ServerKeys struct {
	Host    string    // as known_hosts files name it
	Address string    // host:port, for people
	Last    bool      // it is the destination, not a host in between
	Keys    []HostKey // those that it has, in the order Ed25519, ECDSA, RSA
	File    string    // the person's known_hosts file for new keys; empty: none
}

// HostKey is one key that a server shows.
type HostKey struct {
	Host        string // as known_hosts files name it
	Type        string // such as ssh-ed25519
	Fingerprint string // SHA256:…
	Randomart   string // as ssh-keygen -lv draws it, several lines
	Standing    KeyStanding
	Place       string // file:line where it is known or revoked
	Others      Lines  // of a changed key: the lines about this host that have other keys
	Why         string // of a revoked key: the reason, a sentence

	Key ssh.PublicKey
	o   *config.Options // of the host
}

// KeyStanding is what known_hosts files say about a host key.
type KeyStanding string

// The standings of a host key.
const (
	KeyNew     KeyStanding = "new"     // nothing about this host
	KeyKnown   KeyStanding = "known"   // it is the host's
	KeyChanged KeyStanding = "changed" // the host has another key
	KeyRevoked KeyStanding = "revoked" // it must not be trusted
)

// Trusted says whether the tunnel may log in to this machine: one of its keys is known, and none is
// changed or revoked.
func (s ServerKeys) Trusted() bool {
	return s.Has(KeyKnown) && !s.Has(KeyChanged) && !s.Has(KeyRevoked)
}

// New are the keys that can be recorded. There are none if a key has changed or is revoked.
func (s ServerKeys) New() []HostKey {
	if s.Has(KeyChanged) || s.Has(KeyRevoked) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Keys), func(k HostKey) bool { return k.Standing != KeyNew })
}

// Has says whether one of the keys has this standing.
func (s ServerKeys) Has(standing KeyStanding) bool {
	return slices.ContainsFunc(s.Keys, func(k HostKey) bool { return k.Standing == standing })
}

// Mend are the commands that remove the lines with other keys of the host, one for each file.
func (s ServerKeys) Mend() []string {
	var commands []string
	for _, k := range s.Keys {
		for _, l := range k.Others {
			c := fmt.Sprintf("ssh-keygen -f %s -R %s", tunnelfile.ShellWord(l.File), tunnelfile.ShellWord(s.Host))
			if !slices.Contains(commands, c) {
				commands = append(commands, c)
			}
		}
	}
	return commands
}

// Describe says what is known of the keys that a server shows.
func (h *Checker) Describe(keys []ssh.PublicKey) []HostKey {
	var shown []HostKey
	for _, key := range keys {
		if k, useful := h.describe(key); useful {
			shown = append(shown, k)
		}
	}
	h.judge(shown)
	return shown
}

// describe says what is known of one key by itself. useful is false for a certificate that proves
// nothing: the server also shows the key in it without the certificate.
func (h *Checker) describe(key ssh.PublicKey) (k HostKey, useful bool) {
	k = HostKey{
		Host: h.Name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(Plain(key)), Randomart: Randomart(Plain(key)),
		Standing: KeyNew, Key: key, o: h.o,
	}
	if err := checkRevoked(h.ctx, h.o, key); err != nil {
		k.Standing, k.Place, k.Why = KeyRevoked, h.o.Path(h.o.Option("revokedhostkeys")), err.Error()
		return k, true
	}
	if line, ok := h.Known.revokes(key); ok {
		k.Standing, k.Place, k.Why = KeyRevoked, line.Place(), "it is marked @revoked at "+line.Place()
		return k, true
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		authority, ok := h.Known.authority(cert.SignatureKey)
		if !ok || h.checkCertificate(cert) != nil {
			return k, false
		}
		k.Standing, k.Place = KeyKnown, authority.Place()
	}
	return k, true
}

// judge compares the keys of a server with known_hosts, as ssh does: if there are lines about the
// host, one of them must have the key.
func (h *Checker) judge(shown []HostKey) {
	lines := h.Known.plain()
	if len(lines) == 0 && h.bare != "" {
		// A line without a port can confirm a key for any port. It never contradicts one.
		for _, l := range h.read(h.bare).plain() {
			if slices.ContainsFunc(shown, func(k HostKey) bool { return Same(k.Key, l.Key) }) {
				lines = append(lines, l)
			}
		}
	}
	certified, matched := false, false
	for i := range shown {
		k := &shown[i]
		certified = certified || k.Standing == KeyKnown
		if line, ok := lines.with(k.Key); ok && k.Standing == KeyNew {
			k.Standing, k.Place, matched = KeyKnown, line.Place(), true
		}
	}
	for i := range shown {
		k := &shown[i]
		if k.Standing != KeyNew {
			continue
		}
		for _, l := range lines {
			// Beside a known key, a key of another type is only an additional one.
			if !certified && !matched || l.Key.Type() == k.Key.Type() {
				k.Others = append(k.Others, l)
			}
		}
		if len(k.Others) > 0 {
			k.Standing = KeyChanged
		}
	}
}

// Record appends the key to the person's first known_hosts file, unless it is there. It refuses a
// changed key, because a person must first remove the line with the other key. It refuses a revoked
// key too.
func (k HostKey) Record() error {
	switch k.Standing {
	case KeyKnown:
		return nil
	case KeyChanged:
		return fault.New(fault.HostKeyChanged, "%s holds another key of %s, which must be removed first", k.Others[0].Place(), k.Host)
	case KeyRevoked:
		return fault.New(fault.HostKeyRevoked, "the host key of %s is revoked: %s", k.Host, k.Why)
	}
	files := k.o.Files("userknownhostsfile")
	if len(files) == 0 {
		return fault.New(fault.Settings, "UserKnownHostsFile=none: there is no file to record host keys in")
	}
	if err := recordHostKeys(files[0], k.Host, k.o.Yes("hashknownhosts"), k.Key); err != nil {
		return fmt.Errorf("the host key of %s is not recorded: %w", k.Host, err)
	}
	return nil
}
