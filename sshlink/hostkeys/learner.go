package hostkeys

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// proveTimeout is how long a server may take to prove that it has the keys that it announced.
const proveTimeout = 30 * time.Second

// Learner records further keys that a server announces and proves to have, as UpdateHostKeys=yes
// asks for (OpenSSH's PROTOCOL, 2.5). So the server's owner can change keys without a warning.
// Unlike ssh it removes no key that the server does not show any more.
type Learner struct {
	keys      *Checker
	sessionID []byte
	allowed   []string // HostKeyAlgorithms
}

// Request sends a global request on the link and waits for the answer.
type Request func(ctx context.Context, name string, payload []byte) (ok bool, answer []byte, err error)

// Learner returns a Learner for a server whose key was accepted. It returns nil if no keys are to
// be learned: UpdateHostKeys must be on, and the person's first known_hosts file must have the
// accepted key. A certificate or KnownHostsCommand is not enough.
func (h *Checker) Learner(sessionID []byte, allowed []string) *Learner {
	files := h.o.Files("userknownhostsfile")
	if h.Accepted == nil || !h.o.Yes("updatehostkeys") || h.o.Option("knownhostscommand") != "" || len(files) == 0 {
		return nil
	}
	if !slices.ContainsFunc(h.read(h.Name).plain(), func(k Line) bool { return k.File == files[0] && Same(k.Key, h.Accepted) }) {
		return nil
	}
	return &Learner{keys: h, sessionID: sessionID, allowed: allowed}
}

// Learn handles a hostkeys-00@openssh.com request.
func (n *Learner) Learn(request Request, announced []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), proveTimeout)
	defer cancel()
	fresh, err := n.fresh(announced)
	if err == nil && len(fresh) > 0 {
		err = n.prove(ctx, request, fresh)
	}
	if err != nil {
		n.keys.o.Log.Debug("host keys not learned", "host", n.keys.Name, "err", err)
		return
	}
	if len(fresh) > 0 {
		n.keys.record(fresh...)
	}
}

// Limits, because a server may announce any number of keys. Each recorded line makes every login of
// every tunnel slower until a person removes it.
const (
	maxLearned      = 16       // keys learned on one link
	maxLearnedBytes = 16 << 10 // size of these keys together
	maxKnown        = 32       // lines about the host; with so many, nothing more is learned
)

// fresh are the announced keys that HostKeyAlgorithms allow and that are not known, up to the
// limits.
func (n *Learner) fresh(announced []byte) ([]ssh.PublicKey, error) {
	known := n.keys.read(n.keys.Name)
	room, bytes := min(maxLearned, maxKnown-len(known)), maxLearnedBytes
	var fresh []ssh.PublicKey
	for len(announced) > 0 && len(fresh) < room {
		var m struct {
			Blob []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(announced, &m); err != nil {
			return nil, err
		}
		announced = m.Rest
		key, err := ssh.ParsePublicKey(m.Blob)
		if err != nil {
			continue // of an unknown type
		}
		_, isCertificate := key.(*ssh.Certificate) // in known_hosts it would match no certificate
		_, isRevoked := known.revokes(key)
		if known.plain().has(key) || isCertificate || isRevoked || len(m.Blob) > bytes || slices.ContainsFunc(fresh, func(k ssh.PublicKey) bool { return Same(k, key) }) {
			continue
		}
		if !usable(key, n.allowed) || checkRSASize(n.keys.o, key) != nil {
			continue
		}
		bytes -= len(m.Blob)
		fresh = append(fresh, key)
	}
	return fresh, nil
}

// usable says whether HostKeyAlgorithms allow a key.
func usable(key ssh.PublicKey, algorithms []string) bool {
	if key.Type() == ssh.KeyAlgoRSA {
		return slices.Contains(algorithms, ssh.KeyAlgoRSASHA256) || slices.Contains(algorithms, ssh.KeyAlgoRSASHA512)
	}
	return slices.Contains(algorithms, key.Type())
}

const proveRequest = "hostkeys-prove-00@openssh.com"

// prove asks the server to sign with each key, and checks the signatures. They are for this
// connection only, because the session ID is signed too.
func (n *Learner) prove(ctx context.Context, request Request, keys []ssh.PublicKey) error {
	var question []byte
	for _, key := range keys {
		question = append(question, ssh.Marshal(struct{ Blob []byte }{key.Marshal()})...)
	}
	ok, answer, err := request(ctx, proveRequest, question)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the server does not prove that it holds them")
	}
	for _, key := range keys {
		var m struct {
			Signature []byte
			Rest      []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(answer, &m); err != nil {
			return err
		}
		answer = m.Rest
		var signature ssh.Signature
		if err := ssh.Unmarshal(m.Signature, &signature); err != nil {
			return err
		}
		if signature.Format == ssh.KeyAlgoRSA {
			return errors.New("signed with SHA-1")
		}
		signed := ssh.Marshal(struct {
			Request   string
			SessionID []byte
			Key       []byte
		}{proveRequest, n.sessionID, key.Marshal()})
		if err := key.Verify(signed, &signature); err != nil {
			return err
		}
	}
	return nil
}
