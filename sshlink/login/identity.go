package login

import (
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
)

// identity is one key that may be offered to the server.
type identity struct {
	name     string        // for messages: the file, or the agent's comment
	public   ssh.PublicKey // nil: unknown until the file is decrypted
	file     *keyFile      // nil: only the agent has it, or CertificateFile names it
	agent    bool          // the agent signs
	unsigned bool          // the agent did not sign, and the server saw only the public half
	barred   bool          // unsigned too fast for a person: the agent refuses to sign for us
}

// untouched says whether this is a security key that the agent did not sign with, because nobody
// touched it in time.
func (id *identity) untouched() bool {
	return id.unsigned && !id.barred && strings.HasPrefix(id.public.Type(), "sk-")
}

// identities are the keys to offer, in ssh's order (pubkey_prepare in sshconnect2.c): first the
// named keys that the agent has, in the agent's order; then the agent's other keys, unless
// IdentitiesOnly; then the named keys that are only in files.
func (a *Authenticator) identities() []*identity {
	named := a.namedIdentities()
	var ordered []*identity
	if a.agent != nil {
		var others []*identity
		for _, key := range a.agent.keys {
			if i := slices.IndexFunc(named, func(id *identity) bool { return id.public != nil && hostkeys.Same(id.public, key) }); i >= 0 {
				id := named[i]
				named = slices.Delete(named, i, i+1)
				id.agent = true
				ordered = append(ordered, id)
			} else if !a.o.Yes("identitiesonly") {
				others = append(others, &identity{name: agentName(key), public: parsed(key), agent: true})
			}
		}
		ordered = append(ordered, others...)
	}
	return append(ordered, named...)
}

// parsed is an agent's key as a key of its type. If x/crypto does not know the type, it is
// unchanged.
func parsed(key *agent.Key) ssh.PublicKey {
	if k, err := ssh.ParsePublicKey(key.Blob); err == nil {
		return k
	}
	return key
}

func agentName(key *agent.Key) string {
	if key.Comment != "" {
		return text.FromPeer(key.Comment) + " (agent)"
	}
	return key.Format + " (agent)"
}

// namedIdentities are the keys and certificates that IdentityFile and CertificateFile name, in
// ssh's order. Certificates of CertificateFile come first. Only if there are none, certificates
// beside the keys are used.
func (a *Authenticator) namedIdentities() []*identity {
	var named []*identity
	certificates := a.o.Values("certificatefile")
	for _, value := range certificates {
		path := a.o.Path(value)
		if certificate := readCertificate(path); certificate != nil {
			named = append(named, &identity{name: text.Tilde(path), public: certificate})
		} else {
			a.notes = append(a.notes, text.Tilde(path)+": no certificate there")
		}
	}
	for _, value := range a.o.Values("identityfile") {
		path := a.o.Path(value)
		file, err := readKeyFile(path)
		if err != nil {
			if !slices.Contains(config.DefaultIdentities, value) {
				a.notes = append(a.notes, text.Tilde(path)+": no such file")
			}
		} else {
			named = append(named, &identity{name: text.Tilde(path), public: file.public, file: file})
		}
		if len(certificates) > 0 {
			continue
		}
		if certificate := readCertificate(path + "-cert.pub"); certificate != nil {
			named = append(named, &identity{name: text.Tilde(path + "-cert.pub"), public: certificate, file: file})
		}
	}
	return named
}

// readCertificate reads a user certificate. It returns nil if there is none.
func readCertificate(path string) *ssh.Certificate {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	certificate, _ := parsePublic(text).(*ssh.Certificate)
	if certificate == nil || certificate.CertType != ssh.UserCert {
		return nil
	}
	return certificate
}

// signer returns what offers the key and signs. It returns nil if the key cannot be used, and notes
// why.
func (a *Authenticator) signer(id *identity) ssh.Signer {
	if id.public == nil && id.file.secret != nil {
		// Even the public half is encrypted. The passphrase is needed to offer the key at all.
		opened, err := a.unlock(id.file)
		if err != nil {
			return nil
		}
		id.file.signer, id.file.public, id.public = opened, opened.PublicKey(), opened.PublicKey()
	}
	base, certificate := a.base(id)
	if base == nil {
		why := "no agent and no key file has its private key"
		if id.file != nil && id.file.err != nil {
			why = id.file.err.Error()
		}
		a.note(id, why)
		return nil
	}
	algorithms, why := a.algorithms(id.public)
	if why != "" {
		a.note(id, why)
		return nil
	}
	var signer ssh.Signer = base
	if algorithms != nil {
		limited, err := ssh.NewSignerWithAlgorithms(base, algorithms)
		if err != nil {
			a.note(id, err.Error())
			return nil
		}
		signer = limited
	}
	if certificate != nil {
		with, err := ssh.NewCertSigner(certificate, signer)
		if err != nil {
			a.note(id, err.Error())
			return nil
		}
		signer = with
	}
	return signer
}

// base returns what signs for an identity, and the certificate to show with it. The certificate is
// nil if the signer's own public key is shown.
func (a *Authenticator) base(id *identity) (ssh.AlgorithmSigner, *ssh.Certificate) {
	if id.agent {
		var instead ssh.AlgorithmSigner
		// An agent that we found by ourselves, such as GNOME's, may list each key of ~/.ssh and be
		// unable to decrypt it. The person's own ssh would not have asked that agent.
		if !a.agent.chosen {
			instead = a.fileSigner(id.file)
		}
		return a.agentSigner(id.public, instead, func(err error, after time.Duration) {
			id.unsigned, id.barred = true, after < declineTime
			a.note(id, "the agent at "+text.Tilde(a.agent.socket)+" did not sign: "+err.Error())
		}), nil
	}
	if certificate, ok := id.public.(*ssh.Certificate); ok {
		return a.signerFor(certificate.Key), certificate
	}
	return a.fileSigner(id.file), nil
}

// note records why a key could not be used.
func (a *Authenticator) note(id *identity, why string) {
	a.notes = append(a.notes, id.name+": "+why)
}

// signerFor returns what can sign for a certificate's key: the agent, or one of the files.
func (a *Authenticator) signerFor(key ssh.PublicKey) ssh.AlgorithmSigner {
	if _, ok := a.agent.find(key); ok {
		return a.agentSigner(key, nil, func(error, time.Duration) {})
	}
	for _, id := range a.all {
		if id.file != nil && id.file.public != nil && hostkeys.Same(id.file.public, key) {
			if s := a.fileSigner(id.file); s != nil {
				return s
			}
		}
	}
	return nil
}

func (a *Authenticator) fileSigner(file *keyFile) ssh.AlgorithmSigner {
	switch {
	case file == nil:
		return nil
	case file.signer != nil:
		return file.signer.(ssh.AlgorithmSigner) // ParsePrivateKey returns nothing else
	case file.secret != nil && file.public != nil:
		return a.lockedSigner(file)
	}
	return nil
}

// algorithms are the signature algorithms for a key, in the order of PubkeyAcceptedAlgorithms. nil
// lets x/crypto choose. If the key must not be used, why is the reason.
func (a *Authenticator) algorithms(key ssh.PublicKey) (algorithms []string, why string) {
	bits, least := hostkeys.RSABits(key), a.o.Number("requiredrsasize")
	if bits > 0 && bits < least {
		return nil, "its RSA key is shorter than RequiredRSASize"
	}
	accepted := a.o.List("pubkeyacceptedalgorithms")
	if len(accepted) == 0 {
		return nil, ""
	}
	keyType := key.Type()
	base, isCertificate := strings.CutSuffix(keyType, "-cert-v01@openssh.com")
	for _, algorithm := range accepted {
		name, cert := strings.CutSuffix(algorithm, "-cert-v01@openssh.com")
		if cert != isCertificate {
			continue
		}
		if base == ssh.KeyAlgoRSA {
			if name == ssh.KeyAlgoRSASHA512 || name == ssh.KeyAlgoRSASHA256 || name == ssh.KeyAlgoRSA {
				algorithms = append(algorithms, name)
			}
		} else if algorithm == keyType {
			return nil, ""
		}
	}
	if len(algorithms) == 0 {
		return nil, "PubkeyAcceptedAlgorithms does not allow " + keyType
	}
	return algorithms, ""
}
