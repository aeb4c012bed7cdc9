//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestCredentials has passphrases handed over by systemd, right, wrong and missing.
func TestCredentials(t *testing.T) {
	testbed.NeedBox(t)
	testbed.Need(t, "systemd-creds")
	d := newDesk(t)
	d.holdfast("version")
	plain := filepath.Join(person.Home, ".credentials", "passphrase")
	d.writeFile(plain, passphrase+"\n")
	// With a key that anybody has: what a user's own manager can decrypt without root or a TPM.
	encrypted := filepath.Join(person.Home, ".credentials", "passphrase.cred")
	feed(t, passphrase, person.Argv("systemd-creds", "encrypt", "--with-key=tpm2-absent", "--name=passphrase.locked", "-", encrypted)...)
	wrong := filepath.Join(person.Home, ".credentials", "wrong")
	d.writeFile(wrong, "guess")
	begin := func(name string, settings ...string) *testbed.Server {
		t.Helper()
		s := d.lockedTunnel(t, name, tunnelfile.TransportNative)
		for _, setting := range append(settings, "RestartSec=100ms") {
			d.holdfast("set", name, "Service."+setting)
		}
		return s
	}

	for name, setting := range map[string]string{
		"plain":     "LoadCredential=passphrase:" + plain,
		"named":     "LoadCredential=passphrase.locked:" + plain,
		"encrypted": "LoadCredentialEncrypted=passphrase.locked:" + encrypted,
		"written":   "SetCredential=passphrase:" + strings.ReplaceAll(passphrase, " ", `\x20`),
	} {
		s := begin(name, setting)
		d.holdfast("up", name)
		if n := s.Attempts(); n != 1 {
			t.Errorf("%s: %d attempts", name, n)
		}
		// Also when the process is another.
		if _, err := as("systemctl", "--user", "kill", "--signal=KILL", tunnelfile.ServiceName(name)); err != nil {
			t.Fatal(err)
		}
		testbed.WaitFor(t, 20*time.Second, func() error {
			if n := s.Logins(); n != 2 {
				return fmt.Errorf("%s: %d logins", name, n)
			}
			return nil
		})
	}

	// A wrong one is given once, not at each attempt; then a person is asked, here nobody.
	s := begin("wrong", "LoadCredential=passphrase:"+wrong)
	d.holdfast("up", "--no-wait", "wrong")
	d.awaitStatus("wrong", tunnelfile.Blocked, 20*time.Second, "was given a wrong passphrase for "+s.Dir+"/locked")
	d.holdfast("reconnect", "--no-wait", "wrong")
	d.awaitStatus("wrong", tunnelfile.Blocked, 20*time.Second, "needs a passphrase for "+s.Dir+"/locked")
	if n := strings.Count(d.journal(tunnelfile.ServiceName("wrong")), "answered by a credential"); n != 1 {
		t.Errorf("a wrong credential was given %d times", n)
	}

	// One that is not there is told by name.
	begin("missing", "LoadCredential=passphrase:"+filepath.Join(person.Home, "nowhere"))
	out, err := holdfast("up", "missing")
	if err == nil || !strings.Contains(err.Error(), "243/CREDENTIALS, which blames LoadCredential=") {
		t.Errorf("a credential that is not there: %v %s", err, out)
	}
	if err := os.Remove(plain); err != nil {
		t.Error(err)
	}
}
