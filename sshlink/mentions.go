package sshlink

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// includeDepth is how far ssh follows Include.
const includeDepth = 16

// ConfigMentions says whether the person's or the system's ssh_config(5), or a file that they
// include, has a line with one of the keywords, for whatever host: where none has, ssh
// need not be asked what it makes of them.
func ConfigMentions(keywords ...string) bool {
	for i, k := range keywords {
		keywords[i] = strings.ToLower(k)
	}
	home := filepath.Join(homeDir(), ".ssh")
	return mentions(filepath.Join(home, "config"), home, keywords, includeDepth) ||
		mentions("/etc/ssh/ssh_config", "/etc/ssh", keywords, includeDepth)
}

func mentions(path, below string, keywords []string, depth int) bool {
	text, err := os.ReadFile(path)
	if err != nil || depth == 0 {
		return false
	}
	for line := range strings.Lines(string(text)) {
		keyword, value := cutKeyword(line)
		if slices.Contains(keywords, keyword) {
			return true
		}
		if keyword != "include" {
			continue
		}
		for word := range strings.FieldsSeq(value) {
			pattern := expandTilde(strings.Trim(word, `"`))
			if strings.ContainsAny(pattern, "$%") || strings.Count(word, `"`) == 1 {
				return true // as far as can be told
			}
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(below, pattern)
			}
			files, _ := filepath.Glob(pattern)
			for _, file := range files {
				if mentions(file, below, keywords, depth-1) {
					return true
				}
			}
		}
	}
	return false
}
