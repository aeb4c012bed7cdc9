package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// Mentions says whether the person's or the system's ssh_config(5), or a file that they
// include, has a line with one of the keywords, for whatever host: where none has, ssh
// need not be asked what it makes of them.
func Mentions(keywords ...string) bool {
	for i, k := range keywords {
		keywords[i] = strings.ToLower(k)
	}
	home := filepath.Join(HomeDir(), ".ssh")
	return mentions(filepath.Join(home, "config"), home, keywords) ||
		mentions("/etc/ssh/ssh_config", "/etc/ssh", keywords)
}

func mentions(path, below string, keywords []string) bool {
	for line := range Lines(path, below) {
		switch {
		case slices.Contains(keywords, line.Keyword):
			return true
		case line.Keyword == "include" && strings.ContainsAny(line.Value, "$%"):
			return true // as far as can be told
		}
	}
	return false
}
