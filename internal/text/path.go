package text

import (
	"os"
	"strings"
)

// Tilde returns a path with ~ for the home folder: "~/.ssh/config".
func Tilde(path string) string {
	home := homeFolder()
	if rest, ok := strings.CutPrefix(path, home); ok && home != "" {
		return "~/" + rest
	}
	return path
}

// Tildes returns s with ~ for the home folder in every path.
func Tildes(s string) string {
	home := homeFolder()
	if home == "" {
		return s
	}
	return strings.ReplaceAll(s, home, "~/")
}

// homeFolder returns the person's home folder with a "/" at the end. It returns "" if there is
// none, or if it is "/", as for some users of the system.
func homeFolder() string {
	home, err := os.UserHomeDir()
	if err != nil || home == "/" {
		return ""
	}
	return home + "/"
}
