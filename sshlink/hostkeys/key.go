package hostkeys

import (
	"bytes"
	"crypto/rsa"

	"golang.org/x/crypto/ssh"
)

// Same says whether two keys are equal.
func Same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// Plain is the key inside a certificate, or the key itself.
func Plain(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// Fingerprint is "ssh-ed25519 SHA256:…".
func Fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// RSABits is the length of an RSA key's modulus, 0 for other keys.
func RSABits(key ssh.PublicKey) int {
	if c, ok := Plain(key).(ssh.CryptoPublicKey); ok {
		if k, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok {
			return k.N.BitLen()
		}
	}
	return 0
}
