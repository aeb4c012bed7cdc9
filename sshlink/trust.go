package sshlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// HostKey is one key that a server shows.
type HostKey struct {
	Host        string // as known_hosts files name it
	Type        string // such as ssh-ed25519
	Fingerprint string // SHA256:…
	Randomart   string // as ssh-keygen -lv draws it, several lines
	Known       string // file:line where it stands already; empty: nowhere
	Other       string // file:line of another key of the same host, where this one is not known; empty: none

	key ssh.PublicKey
	hop *Resolved
}

// errScanned ends a handshake once the server has shown its key.
var errScanned = errors.New("host key seen")

// HostKeys asks for the host keys of the first machine on the way whose keys are not known
// yet, or of the destination where all are: machines beyond one that is not trusted are not
// spoken to. It logs in to the machines before that one, and to that one it does not.
func (r *Resolved) HostKeys(ctx context.Context) ([]HostKey, error) {
	if r.jump != nil {
		before, err := r.jump.HostKeys(ctx)
		if err != nil || !slices.ContainsFunc(before, func(k HostKey) bool { return k.Known != "" }) {
			return before, err
		}
	}
	ctx, a, cancel := startAttempt(ctx, r.ConnectTimeout)
	defer cancel()
	var found []HostKey
	var failure error
	for _, algorithms := range [][]string{
		{ssh.KeyAlgoED25519},
		{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
		{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
	} {
		key, err := r.scan(ctx, a, algorithms)
		switch {
		case key != nil:
			found = append(found, r.describeKey(ctx, a, key))
		case errors.Is(err, errNoCommon): // it has no key of that kind
		default:
			failure = err
		}
	}
	if len(found) == 0 && failure == nil {
		failure = errorf(mistaken, "%s shows no host key of a kind that the native transport knows", r.HostName)
	}
	if len(found) == 0 {
		if errors.Is(context.Cause(ctx), errConnectTimeout) {
			failure = because(passing, errConnectTimeout, "%s did not answer within %s (ConnectTimeout)", r.HostName, r.ConnectTimeout)
		}
		return nil, failure
	}
	return found, nil
}

// scan makes a connection up to where the server shows its key of one of the kinds.
func (r *Resolved) scan(ctx context.Context, a *attempt, algorithms []string) (ssh.PublicKey, error) {
	under, err := r.reach(ctx, a)
	if err != nil {
		return nil, err
	}
	c := newConn(under)
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	offered, err := r.algorithms(nil)
	if err != nil {
		return nil, err
	}
	var key ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(c, r.HostName, &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: offered.Ciphers, MACs: offered.MACs, KeyExchanges: offered.KeyExchanges},
		User:              r.User,
		ClientVersion:     clientVersion,
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			key = k
			return errScanned
		},
	})
	if key != nil {
		return key, nil
	}
	return nil, r.explain(ctx, c, &authenticator{r: r, ctx: ctx, attempt: a}, err)
}

func (r *Resolved) describeKey(ctx context.Context, a *attempt, key ssh.PublicKey) HostKey {
	keys := r.newHostKeys(ctx, a)
	k := HostKey{
		Host: keys.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Randomart: randomart(key),
		key: key, hop: r,
	}
	for _, known := range keys.known.plainKeys() {
		switch {
		case sameKey(known.key, key):
			k.Known = known.place()
		case k.Other == "":
			k.Other = known.place()
		}
	}
	if k.Known != "" {
		k.Other = ""
	}
	return k
}

// Record writes the key to the person's first known_hosts file, unless it stands there. It
// refuses to where another key of the host stands: that line must go first, by a person's hand.
func (k HostKey) Record() error {
	switch {
	case k.Known != "":
		return nil
	case k.Other != "":
		return errorf(distrusted, "%s holds another key of %s: remove it first, with ssh-keygen -R %s", k.Other, k.Host, shellWord(k.Host))
	}
	files := k.hop.userKnownHosts()
	if len(files) == 0 {
		return errorf(mistaken, "UserKnownHostsFile=none: there is no file to record host keys in")
	}
	if err := recordHostKey(files[0], k.Host, k.key, isYes(k.hop.option("hashknownhosts"))); err != nil {
		return fmt.Errorf("the host key of %s is not recorded: %w", k.Host, err)
	}
	return nil
}
