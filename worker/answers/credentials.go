package answers

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/tunnelfile"
)

// credentials finds a credential of this unit (LoadCredential=, LoadCredentialEncrypted= and
// SetCredential= of systemd.exec(5)) by its name: it returns the path of the credential's file,
// empty if there is none.
type credentials func(id string) (path string)

// ofThisUnit are the files in $CREDENTIALS_DIRECTORY; nil if systemd passed none. Only this user
// can read them, and systemd removes them when the unit ends.
func ofThisUnit() credentials {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil
	}
	return func(id string) string { return filepath.Join(dir, id) }
}

// ofSettings are the files that LoadCredential= names in a [Service] section, for use while the
// unit does not run; nil if there are none.
func ofSettings(service []tunnelfile.Setting) credentials {
	paths := make(map[string]string)
	for _, s := range service {
		id, path, ok := strings.Cut(s.Value, ":")
		switch {
		case s.Key != "LoadCredential":
		case s.Value == "": // an empty value removes the ones before, as in systemd
			clear(paths)
		case ok:
			paths[id] = path
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return func(id string) string { return paths[id] }
}

// credentialsFor are the names of the credentials that may answer a question, the most specific
// first: passphrase.FILE for the key file of that name, passphrase for any key, password.USER@HOST
// and password for an account. A PIN has none, because repeating a wrong PIN locks the device.
func credentialsFor(q asking.Question) []string {
	switch {
	case q.Kind == asking.KindPassphrase:
		return []string{"passphrase." + filepath.Base(q.Subject), "passphrase"}
	case q.AsksPassword():
		return []string{"password." + q.Subject, "password"}
	}
	return nil
}

// answer is the first line of the credential that answers a question, and the credential's name; id
// is empty if there is none.
func (c credentials) answer(q asking.Question) (secret []byte, id string) {
	if c == nil {
		return nil, ""
	}
	for _, id := range credentialsFor(q) {
		secret, err := os.ReadFile(c(id))
		if err == nil {
			return firstLine(secret), id
		}
	}
	return nil, ""
}

// firstLine returns the first line of an answer, and clears the rest.
func firstLine(answer []byte) []byte {
	line, rest, _ := bytes.Cut(answer, []byte("\n"))
	clear(rest)
	return bytes.TrimSuffix(line, []byte("\r"))
}
