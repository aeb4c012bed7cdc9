package config

import (
	"path/filepath"
	"slices"
	"strings"
)

// includeDepth is how far ssh follows Include.
const includeDepth = 16

// Mentions says whether the person's or the system's ssh_config(5), or a file that they
// include, has a line with one of the keywords, for whatever host: where none has, ssh
// need not be asked what it makes of them.
func Mentions(keywords ...string) bool {
	for i, k := range keywords {
		keywords[i] = strings.ToLower(k)
	}
	home := filepath.Join(HomeDir(), ".ssh")
	return mentions(filepath.Join(home, "config"), home, keywords, includeDepth) ||
		mentions("/etc/ssh/ssh_config", "/etc/ssh", keywords, includeDepth)
}

func mentions(path, below string, keywords []string, depth int) bool {
	for line := range configLines(path, below, depth) {
		switch {
		case slices.Contains(keywords, line.Keyword):
			return true
		case line.Keyword == "include" && (strings.ContainsAny(line.Value, "$%") || slices.ContainsFunc(strings.Fields(line.Value), halfQuoted)):
			return true // as far as can be told
		}
	}
	return false
}

// halfQuoted says whether a word has one end of a quotation, in which there is a blank.
func halfQuoted(word string) bool { return strings.Count(word, `"`) == 1 }
