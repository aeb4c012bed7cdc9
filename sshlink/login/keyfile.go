package login

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// keyFile is what is known of an IdentityFile without its passphrase.
type keyFile struct {
	path   string
	public ssh.PublicKey // nil: encrypted in a format that hides it, and there is no .pub
	signer ssh.Signer    // nil: encrypted, a security key's handle, or only the public half
	secret []byte        // text of the encrypted file
	err    error         // why the private half cannot be used; nil if only the passphrase is missing
}

// errHandle says that the file has only the handle of a security key.
var errHandle = errors.New("a security key's handle, which only ssh-agent or Transport=openssh can use")

// errFormat says that x/crypto cannot read the private key in the file. ssh may be able to read it.
var errFormat = errors.New("in a format that only ssh-agent or Transport=openssh can use")

// readKeyFile reads a key file as ssh does. If there is no private half, it takes the public half
// from the file itself or from FILE.pub, because an agent may have the private half. If there is
// neither, the error wraps fs.ErrNotExist.
func readKeyFile(path string) (*keyFile, error) {
	k := &keyFile{path: path}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.err = errNoAgentKey
	case err != nil:
		k.err = err
	default:
		k.parse(text)
	}
	if k.public == nil {
		if text, err := os.ReadFile(path + ".pub"); err == nil {
			k.public = parsePublic(text)
		}
	}
	if k.public == nil && errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return k, nil
}

func (k *keyFile) parse(text []byte) {
	if !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		if k.public = parsePublic(text); k.public != nil {
			k.err = errNoAgentKey
		} else {
			k.err = errors.New("not a key")
		}
		return
	}
	if err := CheckPermissions(k.path); err != nil {
		// ssh ignores such a private key, but still asks an agent for it.
		k.err = err
	}
	signer, err := ssh.ParsePrivateKey(text)
	locked, isLocked := errors.AsType[*ssh.PassphraseMissingError](err)
	cipher, public := openSSHFormat(text)
	switch {
	case isLocked && slices.Contains(decipherable, cipher):
		k.public = locked.PublicKey
		if k.err == nil {
			k.secret = text
		}
		return
	case err != nil:
		k.public = public
		if block, _ := pem.Decode(text); block != nil {
			err = errFormat
		}
		if public != nil && strings.HasPrefix(public.Type(), "sk-") {
			err = errHandle
		}
		if k.err == nil {
			k.err = err
		}
		return
	}
	k.public = signer.PublicKey()
	if k.err == nil {
		k.signer = signer
	}
}

// ErrTooOpen says that others can read a private key. ssh does not use such a key.
var ErrTooOpen = errors.New("too open")

// CheckPermissions refuses what ssh refuses: a private key of this account that others can read.
func CheckPermissions(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("its permissions %#o are %w: others may read it", info.Mode().Perm(), ErrTooOpen)
	}
	return nil
}

// parsePublic reads the first public key of a file in the form of authorized_keys.
func parsePublic(text []byte) ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return key
}

// decrypt decrypts the key file, and wipes the passphrase.
func (k *keyFile) decrypt(passphrase []byte) (ssh.Signer, error) {
	defer clear(passphrase)
	return ssh.ParsePrivateKeyWithPassphrase(k.secret, passphrase)
}

// lockedSigner is a signer for an encrypted key file. Like ssh, it asks for the passphrase after
// the server has accepted the public half.
func (a *Authenticator) lockedSigner(file *keyFile) ssh.AlgorithmSigner {
	var opened ssh.Signer
	return signer{file.public, func(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
		if opened == nil {
			var err error
			if opened, err = a.unlock(file); err != nil {
				return nil, err
			}
		}
		return opened.(ssh.AlgorithmSigner).SignWithAlgorithm(rand, data, algorithm)
	}}
}

// unlock asks for a key file's passphrase, and asks again if it was wrong.
func (a *Authenticator) unlock(file *keyFile) (ssh.Signer, error) {
	shown := text.Tilde(file.path)
	need := "needs a passphrase for " + shown
	for try := range a.prompts() {
		q := asking.PassphraseQuestion(file.path)
		q.Retry = try > 0
		answer, err := a.ask(q)
		if err != nil {
			a.needs(fault.Passphrase, need, err)
			return nil, err
		}
		if len(answer) == 0 {
			break // as in ssh, an empty answer means: not this key
		}
		signer, err := file.decrypt(answer)
		if err == nil {
			return signer, nil
		}
		need = "was given a wrong passphrase for " + shown
	}
	a.needs(fault.Passphrase, need, nil)
	return nil, errors.New("no passphrase")
}

// ask asks a person. The attempt's clock stops meanwhile.
func (a *Authenticator) ask(q asking.Question) ([]byte, error) {
	if a.o.Yes("batchmode") {
		return nil, asking.ErrNobody
	}
	answer, err := a.attempt.Ask(a.ctx, q)
	if a.ctx.Err() != nil {
		err = context.Cause(a.ctx)
	}
	return answer, err
}
