package testbed

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Key is an SSH key pair in a file, with its public half in FILE.pub.
type Key struct {
	File    string
	Private crypto.Signer
	Public  ssh.PublicKey
}

// NewKey makes a key of type ed25519, ecdsa or rsa and writes it to file.
// With a passphrase the file is encrypted.
func NewKey(t testing.TB, file, keyType, passphrase string) Key {
	t.Helper()
	private, err := generate(keyType)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "testbed")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "testbed", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	k := Key{File: file, Private: private, Public: public}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".pub", []byte(k.AuthorizedKey()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return k
}

// AuthorizedKey is the public key as a line of authorized_keys, and as the end of a line of known_hosts.
func (k Key) AuthorizedKey() string {
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(k.Public)))
}

func generate(keyType string) (crypto.Signer, error) {
	switch keyType {
	case "ed25519":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("no key type %q: ed25519, ecdsa or rsa", keyType)
}
