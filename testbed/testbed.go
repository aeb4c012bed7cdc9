// Package testbed gives tests the real thing: an sshd and an ssh-agent of the
// test's own, servers to forward to, a proxy that breaks a connection on demand
// and, inside a box (see the script beside this file), networks of their own.
//
// Everything it starts ends with the test. It is imported by tests only.
package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Need skips the test if one of the tools is not installed. If CI is set, it fails the test
// instead: a test that nobody runs proves nothing.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if lookPath(tool) == "" {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		NotHere(t, "missing: "+strings.Join(missing, ", ")+" (testbed/install installs what the tests need)")
	}
}

// NotHere skips the test because this machine lacks something. If CI is set, it fails the test.
func NotHere(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// lookPath finds a program also in the sbin folders, which people's PATH often leaves out.
func lookPath(tool string) string {
	if path, err := exec.LookPath(tool); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, tool)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// WaitFor calls condition until it returns nil, and fails the test with its last
// error when that takes longer than deadline.
func WaitFor(t testing.TB, deadline time.Duration, condition func() error) {
	t.Helper()
	if err := poll(deadline, condition); err != nil {
		t.Fatalf("not within %v: %v", deadline, err)
	}
}

// poll is WaitFor without a test.
func poll(deadline time.Duration, condition func() error) error {
	end := time.Now().Add(deadline)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := condition()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(pause)
	}
}

// SocketDir is a temporary folder with a short path: a unix socket's path may
// have 107 bytes, and [testing.T.TempDir] puts the test's name into its own.
func SocketDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
