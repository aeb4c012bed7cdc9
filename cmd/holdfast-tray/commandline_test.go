//go:build cgo

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/program"
)

// TestCommandLine: what is asked for goes to stdout, a complaint to stderr.
func TestCommandLine(t *testing.T) {
	binary := build(t)
	for _, c := range []struct {
		arg            string
		stdout, stderr bool
		status         int
	}{
		{"--help", true, false, 0},
		{"--version", true, false, 0},
		{"--nonsense", false, true, program.Misuse},
		{"nonsense", false, true, program.Misuse},
	} {
		var stdout, stderr strings.Builder
		cmd := exec.Command(binary, c.arg)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != c.status || stdout.Len() > 0 != c.stdout || stderr.Len() > 0 != c.stderr {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", c.arg, status, &stdout, &stderr)
		}
	}
}
