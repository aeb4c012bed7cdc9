package login

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMissingKeyIsToldOnce asks for keys as often as a login with many tries does.
func TestMissingKeyIsToldOnce(t *testing.T) {
	o, err := config.Resolve(t.Context(), config.Source{Destination: "me@host", ConfigFile: "none", Settings: []tunnelfile.Setting{
		{Key: "IdentityFile", Value: "/nonexistent"}, {Key: "IdentityAgent", Value: "none"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := New(t.Context(), o, nil, false, func() error { return nil })
	for range 3 {
		if a.nextKey() != nil {
			t.Error("a key that is not there")
		}
	}
	if got := NotTried(a.notes); got != "; not tried: /nonexistent: no such file" {
		t.Errorf("%q", got)
	}
}

// TestCertificateWithoutKeyIsTold has a certificate, and neither an agent nor a file with its key.
func TestCertificateWithoutKeyIsTold(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, key); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id-cert.pub")
	if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := config.Resolve(t.Context(), config.Source{Destination: "me@host", ConfigFile: "none", Settings: []tunnelfile.Setting{
		{Key: "CertificateFile", Value: path}, {Key: "IdentityAgent", Value: "none"}, {Key: "IdentityFile", Value: "none"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := New(t.Context(), o, nil, false, func() error { return nil })
	if a.nextKey() != nil {
		t.Error("a certificate without a key is offered")
	}
	if got := NotTried(a.notes); !strings.HasSuffix(got, path+": no agent and no key file has its private key") {
		t.Errorf("%q", got)
	}
}
