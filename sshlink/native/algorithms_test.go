package native

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/testbed"
)

// TestOwnCiphersWin wants the person's Ciphers to beat ours, and ours ssh's.
func TestOwnCiphersWin(t *testing.T) {
	testbed.Need(t, "ssh")
	for text, want := range map[string][]string{
		"": cipherOrder(),
		"Ciphers aes256-ctr,aes128-gcm@openssh.com":                   {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Match final all\n Ciphers aes256-ctr,aes128-gcm@openssh.com": {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Ciphers ^aes256-ctr":                                         {"aes256-ctr", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"},
	} {
		a, err := Algorithms(resolve(t, text), nil)
		if err != nil || !slices.Equal(a.Ciphers, want) {
			t.Errorf("%q: %v, want %v; %v", text, a.Ciphers, want, err)
		}
	}
	a, err := Algorithms(resolve(t, ""), nil)
	if err != nil || a.KeyExchanges[0] != "mlkem768x25519-sha256" {
		t.Errorf("key exchanges %v, %v", a.KeyExchanges, err)
	}
}

// resolve is what a line of ssh_config(5) comes to.
func resolve(t *testing.T, line string) *config.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := config.Resolve(t.Context(), config.Source{Destination: "host", ConfigFile: file})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
