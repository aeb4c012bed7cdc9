package sshlink

import (
	"bytes"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
)

// decipherable are the ciphers of encrypted key files that x/crypto has: those of ssh-keygen -Z, and
// whatever an older format says by itself.
var decipherable = []string{"", "aes256-ctr", "aes256-cbc"}

// openSSHFormat is the cipher, and the public half, that an OpenSSH private key file carries in
// clear (openssh-key-v1, see PROTOCOL.key), for those that x/crypto cannot read whole. Of other
// formats it is empty.
func openSSHFormat(text []byte) (cipher string, public ssh.PublicKey) {
	block, _ := pem.Decode(text)
	const magic = "openssh-key-v1\x00"
	if block == nil || block.Type != "OPENSSH PRIVATE KEY" || !bytes.HasPrefix(block.Bytes, []byte(magic)) {
		return "", nil
	}
	var header struct {
		Cipher, KDF, KDFOptions string
		Count                   uint32
		Public                  []byte
		Rest                    []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(block.Bytes[len(magic):], &header); err != nil {
		return "", nil
	}
	public, _ = ssh.ParsePublicKey(header.Public)
	return header.Cipher, public
}

func ownerOf(info os.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// rsaBits is the length of an RSA key's modulus, 0 for other keys.
func rsaBits(key ssh.PublicKey) int {
	if c, ok := plain(key).(ssh.CryptoPublicKey); ok {
		if k, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok {
			return k.N.BitLen()
		}
	}
	return 0
}

// checkRSASize enforces RequiredRSASize.
func (r *Resolved) checkRSASize(key ssh.PublicKey) error {
	bits, least := rsaBits(key), r.Number("requiredrsasize")
	if bits > 0 && bits < least {
		return fault.New(fault.HostKeyUnknown, "the RSA host key of %s has only %d bits; RequiredRSASize asks for %d", r.HostName, bits, least)
	}
	return nil
}
