package login

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
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
