package sshlink

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestOpenSSHCiphers wants the fast cipher of ssh where nobody has set one, and whoever has set one to
// be obeyed. A jump is left as it is.
func TestOpenSSHCiphers(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"LogLevel DEBUG"}})
	jump := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"LogLevel DEBUG"}})
	for _, row := range []struct {
		name, host, jump string
		settings         []tunnelfile.Setting
		cipher, atJump   string // empty: the fast one, and ssh's own
	}{
		{name: "nobody set one"},
		{name: "the jump's alone", jump: " Ciphers aes256-ctr\n", atJump: "aes256-ctr"},
		{name: "the host's alone", host: " Ciphers aes192-ctr\n", cipher: "aes192-ctr"},
		{name: "for all", host: "Match final all\n Ciphers aes192-ctr\n", cipher: "aes192-ctr", atJump: "aes192-ctr"},
		{name: "the tunnel file's", settings: settings("Ciphers=aes128-ctr"), cipher: "aes128-ctr"},
	} {
		t.Run(strings.ReplaceAll(row.name, " ", "_"), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			write(t, file, withKey(jump, "jump")+row.jump+withKey(s, "host")+" ProxyJump jump\n"+row.host)
			r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: file, Settings: row.settings, Transport: tunnelfile.TransportOpenSSH}, nil)
			if err != nil {
				t.Fatal(err)
			}
			own := config.SplitList(r.SSHDefault("ciphers"))
			fast := wire.FastFirst(own)
			cipher, atJump := cmp.Or(row.cipher, fast[0]), cmp.Or(row.atJump, own[0])
			offset := len(jump.Log())
			l, err := r.Dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer mastersEnd(t)
			defer l.Close()
			if got := l.Info().Cipher; got != cipher {
				t.Errorf("cipher %s, want %s", got, cipher)
			}
			if log := jump.Log()[offset:]; !strings.Contains(log, fmt.Sprintf("kex: client->server cipher: %s ", atJump)) {
				t.Errorf("the jump did not agree on %s:\n%s", atJump, log)
			}
			explained := r.Explain(t.Context())
			i := slices.IndexFunc(explained, func(e config.Explained) bool { return e.Keyword == "Ciphers" })
			if e := explained[i]; row.cipher == "" && (e.Value != strings.Join(fast, ",") || e.Source != config.FromHoldfast) {
				t.Errorf("%s from %s", e.Value, e.Source)
			}
		})
	}
}
