package hostkeys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// recordHostKey appends a line to a known_hosts file, in one write and under a lock, so that
// neither another tunnel nor ssh can come between. The file is made with mode 0600 and its
// folder with 0700. A line that stands there already is not written again.
func recordHostKey(file, name string, key ssh.PublicKey, hashed bool) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	// Another tunnel to the same server may have been quicker.
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		if k, about, err := parseKnownLine(strings.TrimRight(string(line), "\n"), name); err == nil && about && k.marker == noMarker && Same(k.Key, key) {
			return nil
		}
	}
	line := knownLine(name, key, hashed)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: /dev/null
		return err
	}
	return nil
}

// knownLine is a line of a known_hosts file, its newline included.
func knownLine(name string, key ssh.PublicKey, hashed bool) string {
	host := name
	if hashed {
		salt := make([]byte, 20)
		rand.Read(salt)
		encode := base64.StdEncoding.EncodeToString
		host = "|1|" + encode(salt) + "|" + encode(hashHost(salt, name))
	}
	return host + " " + string(ssh.MarshalAuthorizedKey(key))
}
