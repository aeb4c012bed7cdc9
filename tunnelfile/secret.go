package tunnelfile

import (
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/lazyregexp"
)

var (
	secretNames = lazyregexp.New(`(?i)(pass(w(or)?d|phrase)?|secret|token|credential|apikey|api_key|private_?key)s?$`)
	// secretWords are an option or an assignment with a secret after it, and a URL with a password.
	secretWords = lazyregexp.New(`(?i)(pass(w(or)?d|phrase)?|secret|token|credential|api-?key)s?[ =:]\S|://[^/\s:@]+:[^/\s@]+@|\bsshpass +-p`)
)

// HoldsSecrets says whether a tunnel file's text has something that other users must not read: a
// credential, a variable with a name like a password's, or a command with a password. Such a file
// has mode 0600.
func HoldsSecrets(text string) bool {
	assignments, _ := Assignments(text)
	return slices.ContainsFunc(assignments, func(a Assignment) bool {
		switch a.Key {
		case "SetCredential":
			return true
		case "Environment", "SetEnv":
			words, _ := Words(a.Value)
			return slices.ContainsFunc(words, func(word string) bool {
				name, value, _ := strings.Cut(word, "=")
				return value != "" && secretNames.MatchString(name) || secretWords.MatchString(value)
			})
		case "ProxyCommand", "KnownHostsCommand", "RemoteCommand", "LocalCommand", "ExecUp", "ExecDown":
			return secretWords.MatchString(a.Value)
		}
		return strings.HasPrefix(a.Key, "Exec") && secretWords.MatchString(a.Value)
	})
}
