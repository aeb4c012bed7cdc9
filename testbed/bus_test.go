package testbed

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ownBus is what opens a bus connection, or has its signals sent, past internal/bus.
var ownBus = regexp.MustCompile(`\bdbus\.(Connect\w*|Dial\w*|SessionBus\w*|SystemBus\w*|NewConn\w*)\(|\.AddMatchSignal|\.Eavesdrop\(|\bsddbus\.New\w*\(`)

// TestOneWayToTheBus holds that internal/bus alone opens bus connections and takes signals in:
// that is where it is decided who is believed. Stand-ins for other programs, in tests, are free.
func TestOneWayToTheBus(t *testing.T) {
	root := ".."
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if entry.IsDir() {
			switch {
			case name == "internal/bus", name == "testbed", name == "dbusapi/apitest", name != "." && strings.HasPrefix(entry.Name(), "."):
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for i, line := range strings.Split(string(text), "\n") {
			if found := ownBus.FindString(line); found != "" {
				t.Errorf("%s:%d: %s: go through internal/bus, which believes nobody but the owner of a name", name, i+1, found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
