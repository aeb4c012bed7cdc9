//go:build testbed

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestKeyring has a passphrase in the desktop's keyring: right, wrong, and behind a lock.
func TestKeyring(t *testing.T) {
	testbed.NeedBox(t)
	testbed.Need(t, "gnome-keyring-daemon", "secret-tool")
	d := newDesk(t)
	d.holdfast("version")
	ring := unlockedKeyring(t)
	keep := func(s *testbed.Server, secret string) {
		t.Helper()
		account := keyring.AccountOf("passphrase", "Enter passphrase for key '"+filepath.Join(s.Dir, "locked")+"': ")
		feed(t, secret, "secret-tool", "store", "--label=test", "service", "holdfast", "username", string(account))
	}

	s := d.lockedTunnel(t, "kept", tunnelfile.TransportNative)
	keep(s, passphrase)
	d.holdfast("up", "kept")

	// A wrong one costs one question more, and at the next connection not even that.
	s = d.lockedTunnel(t, "stale", tunnelfile.TransportNative)
	keep(s, "guess")
	agent := register(t, func(context.Context) (string, error) { return passphrase, nil })
	d.holdfast("up", "stale")
	if n := len(agent.asked); n != 1 {
		t.Errorf("a person was asked %d times", n)
	}
	d.holdfast("reconnect", "stale")
	if n := len(agent.asked); n != 2 {
		t.Errorf("a person was asked %d times", n)
	}

	// A lock, with nobody at a screen to open it, holds nothing up for long.
	if _, err := as("busctl", "--user", "call", "org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.Secret.Service",
		"Lock", "ao", "1", "/org/freedesktop/secrets/collection/login"); err != nil {
		t.Fatal(err)
	}
	up := func(name, what string) {
		t.Helper()
		d.lockedTunnel(t, name, tunnelfile.TransportNative)
		start := time.Now()
		d.holdfast("up", name)
		took := time.Since(start)
		t.Logf("up after %s behind a keyring that is %s", took.Round(100*time.Millisecond), what)
		if took > keyring.Time+10*time.Second {
			t.Errorf("it was held up for %s by a keyring that is %s", took, what)
		}
	}
	up("behind", "locked")
	// Nor does one that waits, as for a person who is to open it.
	if err := ring.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	up("waiting", "not answering")
}

// unlockedKeyring is one as after a login, for the time of the test.
func unlockedKeyring(t *testing.T) *exec.Cmd {
	t.Helper()
	argv := person.Argv("gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets", "--replace")
	ring := exec.Command(argv[0], argv[1:]...)
	ring.Stdin = strings.NewReader("login")
	if err := ring.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ring.Process.Kill()
		_ = ring.Wait()
	})
	// Another, which the bus has started for somebody who looked for a passphrase, may have to go first.
	testbed.WaitFor(t, 20*time.Second, func() error {
		status, err := as("busctl", "--user", "--auto-start=no", "status", "org.freedesktop.secrets")
		if err != nil || !strings.HasPrefix(status, fmt.Sprintf("PID=%d\n", ring.Process.Pid)) {
			return fmt.Errorf("not this keyring's process, %d: %v %s", ring.Process.Pid, err, status)
		}
		locked, err := as("busctl", "--user", "get-property", "org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login",
			"org.freedesktop.Secret.Collection", "Locked")
		if err != nil || strings.TrimSpace(locked) != "b false" {
			return fmt.Errorf("locked: %s %v", locked, err)
		}
		return nil
	})
	return ring
}
