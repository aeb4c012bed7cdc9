package testbed

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Journal is a journal to write, in systemd's journal export format.
type Journal struct{ entries bytes.Buffer }

// Add adds an entry of a boot that began at booted. fields are names and values in turn. Add
// entries in the order of their times.
func (j *Journal) Add(at, booted time.Time, boot string, fields ...string) {
	fmt.Fprintf(&j.entries, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n", at.UnixMicro(), at.Sub(booted).Microseconds(), boot)
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&j.entries, "%s=%s\n", fields[i], fields[i+1])
	}
	j.entries.WriteByte('\n')
}

// Write writes the journal to a directory for journalctl(1) --directory, and returns the directory.
func (j *Journal) Write(t testing.TB) string {
	t.Helper()
	const remote = "/lib/systemd/systemd-journal-remote"
	if _, err := exec.LookPath(remote); err != nil {
		Need(t, remote)
	}
	dir := t.TempDir()
	cmd := exec.Command(remote, "--output="+filepath.Join(dir, "system.journal"), "-")
	cmd.Stdin = &j.entries
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("systemd-journal-remote: %v: %s", err, out)
	}
	return dir
}
