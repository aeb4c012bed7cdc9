package hostkeys

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// krlMagic is the beginning of a key revocation list in OpenSSH's own form (PROTOCOL.krl).
const krlMagic = "SSHKRL\n\x00"

// checkRevoked refuses a host key that RevokedHostKeys lists. The file has public keys, or it is a
// key revocation list, which ssh-keygen reads. If the file cannot be read, no host key is accepted,
// as in ssh.
func checkRevoked(ctx context.Context, o *config.Options, key ssh.PublicKey) error {
	value := o.Option("revokedhostkeys")
	if value == "" {
		return nil
	}
	path := o.Path(value)
	text, err := os.ReadFile(path)
	if err != nil {
		return fault.Wrap(fault.HostKeyUnknown, err, "RevokedHostKeys cannot be read, so that no host key counts")
	}
	if bytes.HasPrefix(text, []byte(krlMagic)) {
		err = askKRL(ctx, path, key)
	} else {
		err = searchKeys(text, key)
	}
	if fault.As(err) != nil {
		return err
	}
	if err != nil {
		return fault.Wrap(fault.HostKeyRevoked, err, "the host key of %s is revoked by %s: %s", o.HostName, path, Fingerprint(Plain(key)))
	}
	return nil
}

type revokedError string

func (e revokedError) Error() string { return string(e) }

// searchKeys looks for the key, or for the key of the authority that signed it.
func searchKeys(text []byte, key ssh.PublicKey) error {
	for len(text) > 0 {
		listed, _, _, rest, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			return nil
		}
		text = rest
		if Same(listed, Plain(key)) {
			return revokedError("it is listed there")
		}
		if certificate, ok := key.(*ssh.Certificate); ok && Same(listed, certificate.SignatureKey) {
			return revokedError("its authority is listed there")
		}
	}
	return nil
}

// askKRL looks up the key in a key revocation list, with ssh-keygen -Q.
func askKRL(ctx context.Context, path string, key ssh.PublicKey) error {
	cmd := exec.CommandContext(ctx, "ssh-keygen", "-Q", "-f", path, "/dev/stdin")
	cmd.Stdin = bytes.NewReader(ssh.MarshalAuthorizedKey(key))
	out, err := cmd.CombinedOutput()
	said := text.FromPeer(text.LastLines(string(out), 1))
	switch exit, ran := errors.AsType[*exec.ExitError](err); {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fault.Wrap(fault.HostKeyUnknown, err, "RevokedHostKeys cannot be read, so that no host key counts")
	case !ran || exit.ExitCode() < 0: // it did not start, or a signal ended it
		return fault.Wrap(fault.Unreachable, err, "ssh-keygen cannot look into RevokedHostKeys now")
	case said == "":
		return err
	}
	return revokedError(said)
}
