package login

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
)

// decipherable are the ciphers of encrypted OpenSSH key files (ssh-keygen -Z) that x/crypto has.
// The empty one is for older formats.
var decipherable = []string{"", "aes256-ctr", "aes256-cbc"}

// openSSHFormat returns what an OpenSSH private key file has in clear: the cipher and the public
// half (openssh-key-v1, see PROTOCOL.key). It is for files that x/crypto cannot read as a whole.
// Both are empty for other formats.
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
