package sshlink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// softToken is a PKCS#11 token of software with one key pair, whose PIN is securityKeyPIN. It is
// found by the environment of this process.
func softToken(t *testing.T, keyType string) (module, public string) {
	t.Helper()
	testbed.Need(t, "softhsm2-util", "pkcs11-tool", "ssh-keygen")
	module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		testbed.NotHere(t, err.Error())
	}
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "softhsm2.conf")
	write(t, config, fmt.Sprintf("directories.tokendir = %s\nlog.level = ERROR\n", tokens))
	t.Setenv("SOFTHSM2_CONF", config)
	run(t, "softhsm2-util", "--init-token", "--free", "--label", "testbed", "--pin", securityKeyPIN, "--so-pin", "12345678")
	run(t, "pkcs11-tool", "--module", module, "--login", "--pin", securityKeyPIN, "--keypairgen", "--key-type", keyType, "--id", "01", "--label", "key")
	return module, strings.TrimSpace(run(t, "ssh-keygen", "-D", module))
}

func TestLoginsByToken(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	for _, keyType := range []string{"rsa:2048", "EC:prime256v1"} {
		t.Run(keyType, func(t *testing.T) {
			module, public := softToken(t, keyType)
			s := testbed.StartServer(t, testbed.ServerOptions{})
			stranger := testbed.StartServer(t, testbed.ServerOptions{})
			s.Authorize(public)
			config := func(s *testbed.Server) string {
				return hostBlock(s, "host") + " IdentityAgent none\n IdentityFile none\n PKCS11Provider " + module + "\n"
			}
			const auto, openssh = tunnelfile.TransportAuto, tunnelfile.TransportOpenSSH
			t.Run("table", func(t *testing.T) {
				tryBoth(t, []loginRow{
					{name: "PKCS11Provider", want: in, config: config(s), transport: auto, via: openssh, why: "PKCS11Provider=", answer: map[string]string{"PIN for 'testbed'": securityKeyPIN}},
					{name: "a wrong PIN", want: refused, config: config(s), transport: auto, via: openssh, answer: map[string]string{"PIN for 'testbed'": "0000"}},
					{name: "nobody there", want: refused, config: config(s), transport: auto, via: openssh, says: "needs the PIN of testbed"},
					{name: "not authorized", want: refused, config: config(stranger), transport: auto, via: openssh, answer: map[string]string{"PIN for 'testbed'": securityKeyPIN}, says: "refused every way"},
				})
			})
		})
	}
}
