package sshlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ServerKeys is what one machine on the way shows of itself.
type ServerKeys struct {
	Host    string    // as known_hosts files name it
	Address string    // host:port, for people
	Last    bool      // it is the destination, not a host in between
	Keys    []HostKey // in the order Ed25519, ECDSA, RSA, as far as it has them
	File    string    // the person's known_hosts file that new keys go to, empty: none
}

// HostKey is one key that a server shows.
type HostKey struct {
	Host        string // as known_hosts files name it
	Type        string // such as ssh-ed25519
	Fingerprint string // SHA256:…
	Randomart   string // as ssh-keygen -lv draws it, several lines
	Standing    KeyStanding
	Place       string      // file:line where it is known or revoked
	Others      []KnownLine // of a changed one: the lines about this host that hold other keys
	Why         string      // of a revoked one, in a sentence

	key ssh.PublicKey
	hop *Resolved
}

// KeyStanding is what known_hosts files say of a host key.
type KeyStanding string

// The standings of a host key.
const (
	KeyNew     KeyStanding = "new"     // nothing
	KeyKnown   KeyStanding = "known"   // it is the host's
	KeyChanged KeyStanding = "changed" // the host has another
	KeyRevoked KeyStanding = "revoked" // it must not be trusted
)

// KnownLine is a line of a known_hosts file.
type KnownLine struct {
	File        string
	Line        int
	Type        string
	Fingerprint string
}

// Place is "file:line".
func (l KnownLine) Place() string { return fmt.Sprintf("%s:%d", l.File, l.Line) }

// Trusted says whether the tunnel goes on to this machine: one of its keys is known and none
// is in the way.
func (s ServerKeys) Trusted() bool {
	return s.has(KeyKnown) && !s.has(KeyChanged) && !s.has(KeyRevoked)
}

// New are the keys that can be recorded; none where one has changed or is revoked.
func (s ServerKeys) New() []HostKey {
	if s.has(KeyChanged) || s.has(KeyRevoked) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Keys), func(k HostKey) bool { return k.Standing != KeyNew })
}

func (s ServerKeys) has(standing KeyStanding) bool {
	return slices.ContainsFunc(s.Keys, func(k HostKey) bool { return k.Standing == standing })
}

// Mend are the commands that take the lines of a changed key away, one for each file.
func (s ServerKeys) Mend() []string {
	var commands []string
	for _, k := range s.Keys {
		for _, l := range k.Others {
			if c := removal(l.File, s.Host); !slices.Contains(commands, c) {
				commands = append(commands, c)
			}
		}
	}
	return commands
}

// removal is the command that takes a host's keys out of a known_hosts file.
func removal(file, host string) string {
	return fmt.Sprintf("ssh-keygen -f %s -R %s", tunnelfile.ShellWord(file), tunnelfile.ShellWord(host))
}

// errScanned ends a handshake once the server has shown its key.
var errScanned = errors.New("host key seen")

// HostKeys asks for the host keys of the first machine on the way that is not trusted yet,
// or of the destination where all are: machines beyond one that is not trusted are not
// spoken to. It logs in to the machines before that one, and to that one it does not.
func (r *Resolved) HostKeys(ctx context.Context) (ServerKeys, error) {
	hops := r.Hops()
	for _, hop := range hops {
		if !hop.heardOf(ctx) {
			return hop.serverKeys(ctx)
		}
	}
	keys, err := r.serverKeys(ctx)
	if e := fault.As(err); e == nil || e.Class() != fault.ClassDistrusted {
		keys.Last = true
		return keys, err
	}
	// One of those before it is not what it was.
	for _, hop := range hops {
		if between, hopErr := hop.serverKeys(ctx); hopErr != nil || !between.Trusted() {
			return between, hopErr
		}
	}
	return ServerKeys{}, err
}

// heardOf says whether any known_hosts line is about this machine.
func (r *Resolved) heardOf(ctx context.Context) bool {
	keys := r.newHostKeys(ctx, nil)
	return len(keys.known) > 0 || keys.bare != "" && len(keys.read(keys.bare).plainKeys()) > 0
}

// kindsOfKeys are the algorithms to ask a server for, one handshake for each list.
var kindsOfKeys = [][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

var certificates = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// serverKeys asks one machine for its keys, through one connection to the host before it.
func (r *Resolved) serverKeys(ctx context.Context) (ServerKeys, error) {
	known := r.newHostKeys(ctx, nil)
	s := ServerKeys{Host: known.name, Address: r.HostPort()}
	if files := r.Files("userknownhostsfile"); len(files) > 0 {
		s.File = files[0]
	}
	dial, hangUp, err := r.way(ctx)
	if err != nil {
		return s, err
	}
	defer hangUp()
	lists := kindsOfKeys
	if slices.ContainsFunc(known.known, func(k knownKey) bool { return k.marker == certAuthority }) {
		lists = append([][]string{certificates}, lists...)
	}
	for _, algorithms := range lists {
		key, err := r.scan(ctx, dial, algorithms)
		switch {
		case key != nil:
			if k, useful := r.describeKey(known, key); useful {
				s.Keys = append(s.Keys, k)
			}
		case errors.Is(err, errNoCommon) && strings.Contains(err.Error(), "HostKeyAlgorithms"): // it has no key of that kind
		default:
			return s, err
		}
	}
	if len(s.Keys) == 0 {
		return s, fault.Because(fault.Settings, errNoCommon,
			"%s shows no host key of a kind that the native transport knows", r.HostName)
	}
	judge(known, s.Keys)
	return s, nil
}

// way returns how to make a connection to the server's SSH port, again and again. Through
// another host that is one login, which lasts until hangUp.
func (r *Resolved) way(ctx context.Context) (dial func(context.Context) (net.Conn, error), hangUp func(), err error) {
	if r.jump == nil {
		return func(ctx context.Context) (net.Conn, error) { return r.reach(ctx, nil) }, func() {}, nil
	}
	attempt, a, cancel := asking.Start(ctx, r.jump.ConnectTimeout, r.ask)
	defer cancel()
	link, err := r.jump.connect(attempt, a)
	if err != nil {
		return nil, nil, r.through(r.jump.tooLate(attempt, err))
	}
	return func(ctx context.Context) (net.Conn, error) {
		c, err := link.DialContext(ctx, "tcp", r.HostPort())
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, err, "%s cannot reach %s", r.jump.HostName, r.HostPort())
		}
		return c, nil
	}, func() { link.Close() }, nil
}

// tooLate is err, or what to say of an attempt that ConnectTimeout ended.
func (r *Resolved) tooLate(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), asking.ErrTimeout) {
		return fault.Because(fault.Unreachable, asking.ErrTimeout, "%s did not answer within %s (ConnectTimeout)", r.HostName, r.ConnectTimeout)
	}
	return err
}

// scan makes a connection up to where the server shows its key of one of the kinds.
func (r *Resolved) scan(parent context.Context, dial func(context.Context) (net.Conn, error), algorithms []string) (ssh.PublicKey, error) {
	ctx, a, cancel := asking.Start(parent, r.ConnectTimeout, r.ask)
	defer cancel()
	under, err := dial(ctx)
	if err != nil {
		return nil, r.tooLate(ctx, err)
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
	return nil, r.tooLate(ctx, r.explain(ctx, c, &authenticator{r: r, ctx: ctx, attempt: a}, err))
}

// describeKey says what is known of one key by itself. A certificate that proves nothing is
// of no use: the key in it is shown without it, too.
func (r *Resolved) describeKey(keys *hostKeys, key ssh.PublicKey) (k HostKey, useful bool) {
	k = HostKey{
		Host: keys.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(plain(key)), Randomart: randomart(plain(key)),
		Standing: KeyNew, key: key, hop: r,
	}
	if err := r.checkRevoked(keys.ctx, key); err != nil {
		k.Standing, k.Place, k.Why = KeyRevoked, r.Path(r.Option("revokedhostkeys")), err.Error()
		return k, true
	}
	if line, ok := keys.known.revokes(key); ok {
		k.Standing, k.Place, k.Why = KeyRevoked, line.place(), "it is marked @revoked at "+line.place()
		return k, true
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		authority, ok := keys.known.authority(cert.SignatureKey)
		if !ok || keys.checkCertificate(cert) != nil {
			return k, false
		}
		k.Standing, k.Place = KeyKnown, authority.place()
	}
	return k, true
}

// judge compares the keys of a server with those that known_hosts has of it, as ssh does:
// where there are lines about the host, one of them must hold the key.
func judge(keys *hostKeys, shown []HostKey) {
	lines := keys.known.plainKeys()
	if len(lines) == 0 && keys.bare != "" {
		// A line without a port says yes for every port, and no for none.
		for _, l := range keys.read(keys.bare).plainKeys() {
			if slices.ContainsFunc(shown, func(k HostKey) bool { return sameKey(k.key, l.key) }) {
				lines = append(lines, l)
			}
		}
	}
	certified, matched := false, false
	for i := range shown {
		k := &shown[i]
		certified = certified || k.Standing == KeyKnown
		if j := slices.IndexFunc(lines, func(l knownKey) bool { return sameKey(l.key, k.key) }); j >= 0 && k.Standing == KeyNew {
			k.Standing, k.Place, matched = KeyKnown, lines[j].place(), true
		}
	}
	for i := range shown {
		k := &shown[i]
		if k.Standing != KeyNew {
			continue
		}
		for _, l := range lines {
			// Beside a key that is right, one of another kind is only one more.
			if !certified && !matched || l.key.Type() == k.key.Type() {
				k.Others = append(k.Others, KnownLine{l.file, l.line, l.key.Type(), ssh.FingerprintSHA256(l.key)})
			}
		}
		if len(k.Others) > 0 {
			k.Standing = KeyChanged
		}
	}
}

// Record writes the key to the person's first known_hosts file, unless it stands there. It
// refuses to where another key of the host stands: that line must go first, by a person's hand.
func (k HostKey) Record() error {
	switch k.Standing {
	case KeyKnown:
		return nil
	case KeyChanged:
		return fault.New(fault.HostKeyUnknown, "%s holds another key of %s: remove it first, with %s", k.Others[0].Place(), k.Host, removal(k.Others[0].File, k.Host))
	case KeyRevoked:
		return fault.New(fault.HostKeyUnknown, "the host key of %s is revoked: %s", k.Host, k.Why)
	}
	files := k.hop.Files("userknownhostsfile")
	if len(files) == 0 {
		return fault.New(fault.Settings, "UserKnownHostsFile=none: there is no file to record host keys in")
	}
	if err := recordHostKey(files[0], k.Host, k.key, k.hop.Yes("hashknownhosts")); err != nil {
		return fmt.Errorf("the host key of %s is not recorded: %w", k.Host, err)
	}
	return nil
}

// OnlySSH says of an error that the server has no algorithm in common with the native
// transport, so that the system's ssh may do better.
func OnlySSH(err error) bool { return errors.Is(err, errNoCommon) }
