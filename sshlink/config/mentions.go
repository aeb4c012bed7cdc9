package config

import (
	"slices"
	"strings"
)

// Mentions says whether the person's or the system's ssh_config(5), or a file that they include,
// has a line with one of the keywords, for any host. If not, ssh need not be asked about the
// keywords.
func Mentions(keywords ...string) bool {
	lower := make([]string, len(keywords))
	for i, k := range keywords {
		lower[i] = strings.ToLower(k)
	}
	return slices.ContainsFunc(Source{}.configFiles(), func(f configFile) bool { return f.mentions(lower) })
}

func (f configFile) mentions(keywords []string) bool {
	for line := range Lines(f.path, f.includes) {
		switch {
		case slices.Contains(keywords, line.Keyword):
			return true
		case line.Keyword == "include" && strings.ContainsAny(line.Value, "$%"):
			return true // only ssh can find that file: it may have the line
		}
	}
	return false
}
