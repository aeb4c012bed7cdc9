package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestGOMAXPROCSIsSetFirst: nothing that allocates much is initialized before internal/gomaxprocs.
func TestGOMAXPROCSIsSetFirst(t *testing.T) {
	cmd := exec.Command(os.Args[0], "--version")
	cmd.Env = append(os.Environ(), asProgram+"=1", "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, trace)
	}
	before, _, found := strings.Cut(string(trace), "init github.com/holdfast/holdfast/internal/gomaxprocs ")
	if !found || strings.Contains(before, "init sync ") || strings.Contains(before, "init os ") {
		t.Errorf("it is not set first:\n%s", trace)
	}
}
