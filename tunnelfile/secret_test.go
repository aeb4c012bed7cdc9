package tunnelfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHoldsSecrets(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                     false,
		"[Service]\nSetCredential=a:b":         true,
		"[Service]\nLoadCredential=a:/etc/a":   false,
		"[Service]\nEnvironment=A=b DB_PASS=c": true,
		"[Service]\nEnvironment=\"X=1\" 'API_TOKEN=x y'":        true,
		"[Service]\nEnvironment=PASSAGE=x SSH_AUTH_SOCK=/run/a": false,
		"[Service]\nEnvironment=PROXY=http://me:word@proxy":     true,
		"[Service]\nEnvironmentFile=/etc/secret":                false,
		"[SSH]\nProxyCommand=nc --proxy-auth-password=x %h %p":  true,
		"[SSH]\nProxyCommand=nc -X connect %h %p":               false,
		"[SSH]\nPasswordAuthentication=yes":                     false,
		"[Tunnel]\nExecUp=/usr/bin/curl http://a:b@c/":          true,
	} {
		if got := HoldsSecrets(line); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

// TestWriteSecrets holds that a file with a secret in it is for its owner alone, also one that
// had none before.
func TestWriteSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.tunnel")
	const plain, secret = "[Tunnel]\nDestination=h\n", "[Tunnel]\nDestination=h\n[Service]\nEnvironment=PASSWORD=x\n"
	for _, step := range []struct {
		text string
		mode os.FileMode
	}{{plain, 0o644}, {secret, 0o600}, {plain, 0o600}, {secret, 0o600}} {
		if err := Write(path, step.text); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != step.mode {
			t.Errorf("%q: mode %v, %v", step.text, info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil { // the person's own choice stays
		t.Fatal(err)
	}
	if err := Write(path, secret); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
}
