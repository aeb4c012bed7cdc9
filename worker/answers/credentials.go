package answers

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/tunnelfile"
)

// credentials are what systemd hands to this unit (LoadCredential=, LoadCredentialEncrypted=
// and SetCredential= of systemd.exec(5)), by their names: the path of the file that has it,
// empty where there is none.
type credentials func(id string) (path string)

// handedOver are the files in $CREDENTIALS_DIRECTORY, which only this person can read and
// which end with the unit; nil where systemd has handed over none.
func handedOver() credentials {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return nil
	}
	return func(id string) string { return filepath.Join(dir, id) }
}

// toBeLoaded are the files that LoadCredential= names in a [Service] section, for who wants to
// know before there is a unit; nil where it names none.
func toBeLoaded(service []tunnelfile.Setting) credentials {
	var paths map[string]string
	for _, s := range service {
		id, path, ok := strings.Cut(s.Value, ":")
		switch {
		case s.Key != "LoadCredential":
		case s.Value == "": // as systemd takes it: none of those before
			paths = nil
		case ok:
			if paths == nil {
				paths = make(map[string]string)
			}
			paths[id] = path
		}
	}
	if paths == nil {
		return nil
	}
	return func(id string) string { return paths[id] }
}

// credentialsFor are the names under which the answer to a question is looked for, the most
// particular first: passphrase.FILE for the key file of that name, passphrase for any key,
// password.USER@HOST and password for an account. A PIN is none of them: a wrong one, given
// again and again, locks what it opens.
func credentialsFor(q asking.Question) []string {
	switch {
	case q.Kind == asking.KindPassphrase:
		return []string{"passphrase." + filepath.Base(q.Subject), "passphrase"}
	case q.AsksPassword():
		return []string{"password." + q.Subject, "password"}
	}
	return nil
}

// answer is the credential that answers a question, and its name; empty: there is none.
func (c credentials) answer(q asking.Question) (secret []byte, id string) {
	if c == nil {
		return nil, ""
	}
	for _, id := range credentialsFor(q) {
		secret, err := os.ReadFile(c(id))
		if err != nil {
			continue
		}
		line, rest, _ := bytes.Cut(secret, []byte("\n"))
		clear(rest)
		return bytes.TrimSuffix(line, []byte("\r")), id
	}
	return nil, ""
}
