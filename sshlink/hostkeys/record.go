package hostkeys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// recordHostKeys appends a line for each key to a known_hosts file. It makes one write, under a
// lock, so that nothing from another tunnel or from ssh comes between the lines. A new file has
// mode 0600, and a new folder 0700. Keys that are in the file already are left out. If the write
// fails, the file is cut back to its old length.
func recordHostKeys(file, name string, hashed bool, keys ...ssh.PublicKey) error {
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
	// Another tunnel to the same server may have been faster.
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	known := readKnownLines(bytes.NewReader(text), file, name, slog.New(slog.DiscardHandler)).plain()
	var lines strings.Builder
	for _, key := range keys {
		if !known.has(key) {
			lines.WriteString(knownLine(name, key, hashed))
			known = append(known, Line{Key: key})
		}
	}
	if lines.Len() == 0 {
		return nil
	}
	added := lines.String()
	if len(text) > 0 && text[len(text)-1] != '\n' {
		added = "\n" + added
	}
	if _, err := f.WriteString(added); err != nil {
		return errors.Join(err, f.Truncate(int64(len(text))))
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: /dev/null
		return err
	}
	return nil
}

// knownLine is a line of a known_hosts file with its newline.
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
