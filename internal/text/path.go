package text

import (
	"os"
	"strings"
)

// Tilde is a path as people write it: "~/.ssh/config".
func Tilde(path string) string {
	home := homeFolder()
	if rest, ok := strings.CutPrefix(path, home); ok && home != "" {
		return "~/" + rest
	}
	return path
}

// Tildes is s with every path below the person's home folder as people write it.
func Tildes(s string) string {
	home := homeFolder()
	if home == "" {
		return s
	}
	return strings.ReplaceAll(s, home, "~/")
}

// homeFolder is the person's home folder with "/" behind it; "" for none, and for that of a
// system's user whose home is "/".
func homeFolder() string {
	home, err := os.UserHomeDir()
	if err != nil || home == "/" {
		return ""
	}
	return home + "/"
}
