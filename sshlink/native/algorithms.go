package native

import (
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// cipherOrder are the ciphers to offer if nobody has set any, in order.
func cipherOrder() []string {
	return wire.FastFirst([]string{
		ssh.CipherChaCha20Poly1305, ssh.CipherAES128GCM, ssh.CipherAES256GCM,
		ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR,
	})
}

// Supported are the algorithms that x/crypto has, weak ones included. Weak ones are used only if
// the person asks for them by name.
func Supported() ssh.Algorithms {
	s, weak := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return ssh.Algorithms{
		KeyExchanges:   slices.Concat(s.KeyExchanges, weak.KeyExchanges),
		Ciphers:        slices.Concat(s.Ciphers, weak.Ciphers),
		MACs:           slices.Concat(s.MACs, weak.MACs),
		HostKeys:       slices.Concat(s.HostKeys, weak.HostKeys),
		PublicKeyAuths: slices.Concat(s.PublicKeyAuths, weak.PublicKeyAuths),
	}
}

// Algorithms are the algorithms to offer to the server: the person's own lists, without what
// x/crypto does not have, or else Holdfast's. known are the known_hosts lines of the server. The
// error wraps [login.ErrNoCommon] if x/crypto has no algorithm of a list.
func Algorithms(o *config.Options, known hostkeys.Lines) (ssh.Algorithms, error) {
	all, safe := Supported(), ssh.SupportedAlgorithms()
	var a ssh.Algorithms
	for _, list := range []struct {
		keyword   string
		into      *[]string
		has, ours []string
	}{
		{"Ciphers", &a.Ciphers, all.Ciphers, cipherOrder()},
		{"MACs", &a.MACs, all.MACs, safe.MACs},
		{"KexAlgorithms", &a.KeyExchanges, all.KeyExchanges, safe.KeyExchanges},
		{"HostKeyAlgorithms", &a.HostKeys, all.HostKeys, knownFirst(sshHostKeyOrder(safe.HostKeys), known)},
	} {
		keyword := strings.ToLower(list.keyword)
		if o.Unset(keyword) || o.Option(keyword) == "" {
			*list.into = list.ours
			continue
		}
		wanted := o.List(keyword)
		if keyword == "hostkeyalgorithms" && addedOrRemoved(wanted, config.SplitList(o.SSHDefault(keyword))) {
			wanted = knownFirst(wanted, known)
		}
		*list.into = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return !slices.Contains(list.has, name) })
		if len(*list.into) == 0 {
			return a, fault.Because(fault.Settings, login.ErrNoCommon, "%s=%s: the native transport has none of these; set Transport=openssh", list.keyword, strings.Join(wanted, ","))
		}
	}
	return a, nil
}

// addedOrRemoved says whether a list was made from ssh's own with + or -. Those leave the order to
// ssh, but ^ and a complete list do not. A complete list in ssh's order cannot be told apart from
// one made with + or -.
func addedOrRemoved(list, own []string) bool {
	last := -1
	for _, name := range list {
		at := slices.Index(own, name)
		if at < 0 {
			at = len(own) // added ones come last
		}
		if at < last || at == last && at < len(own) {
			return false
		}
		last = at
	}
	return true
}

// knownFirst puts the types of key first that known_hosts has for the server. Otherwise a server
// with several keys may show one that nobody has recorded.
func knownFirst(order []string, known hostkeys.Lines) []string {
	has := func(algorithm string) bool {
		base, isCertificate := strings.CutSuffix(algorithm, "-cert-v01@openssh.com")
		if base == ssh.KeyAlgoRSASHA256 || base == ssh.KeyAlgoRSASHA512 {
			base = ssh.KeyAlgoRSA
		}
		if isCertificate {
			return known.HasAuthority()
		}
		return known.HasType(base)
	}
	var first, rest []string
	for _, algorithm := range order {
		if has(algorithm) {
			first = append(first, algorithm)
		} else {
			rest = append(rest, algorithm)
		}
	}
	return append(first, rest...)
}

// sshHostKeyOrder sorts algorithms in ssh's order: certificates first, Ed25519 before ECDSA before
// RSA.
func sshHostKeyOrder(all []string) []string {
	types := []string{"ed25519", "ecdsa", "rsa-sha2-512", "rsa-sha2-256"}
	rank := func(algorithm string) int {
		rank := slices.IndexFunc(types, func(part string) bool { return strings.Contains(algorithm, part) })
		if rank < 0 {
			rank = len(types)
		}
		if !strings.HasSuffix(algorithm, "-cert-v01@openssh.com") {
			rank += 10
		}
		return rank
	}
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b string) int { return rank(a) - rank(b) })
	return order
}
