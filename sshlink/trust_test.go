package sshlink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

func TestHostKeys(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	jump := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519"}})
	file := filepath.Join(t.TempDir(), "known_hosts")
	config := filepath.Join(t.TempDir(), "config")
	text := withKey(s, "host") + " ProxyJump jump\n" + withKey(jump, "jump")
	text = strings.NewReplacer(s.KnownHosts, file, jump.KnownHosts, file).Replace(text)
	write(t, config, text)
	r, err := Resolve(t.Context(), Config{Name: "web", Destination: "host", ConfigFile: config})
	if err != nil {
		t.Fatal(err)
	}
	// The jump host first, then the one behind it.
	for _, want := range []struct {
		server *testbed.Server
		kinds  int
	}{{jump, 1}, {s, 3}} {
		if _, err := r.Dial(t.Context()); asError(err) == nil || !asError(err).Distrusted() {
			t.Fatalf("before its keys are recorded: %v", err)
		}
		keys, err := r.HostKeys(t.Context())
		if err != nil || len(keys) != want.kinds {
			t.Fatalf("%d keys, want %d: %v", len(keys), want.kinds, err)
		}
		for i, k := range keys {
			if k.Known != "" || k.Other != "" || k.key.Type() != want.server.HostKeys[i].Public.Type() || !sameKey(k.key, want.server.HostKeys[i].Public) {
				t.Errorf("%+v", k)
			}
			// ssh-keygen draws the same picture.
			out := run(t, "ssh-keygen", "-lv", "-f", want.server.HostKeys[i].File+".pub")
			if !strings.Contains(out, k.Fingerprint) || !strings.Contains(out, k.Randomart) {
				t.Errorf("ours:\n%s\n%sssh-keygen's:\n%s", k.Fingerprint, k.Randomart, out)
			}
			if err := k.Record(); err != nil {
				t.Error(err)
			}
		}
	}
	l, err := r.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	keys, err := r.HostKeys(t.Context())
	if err != nil || len(keys) != 3 || !strings.HasPrefix(keys[2].Known, file+":") {
		t.Errorf("%+v, %v", keys, err)
	}

	// Another key of the same host is not overwritten.
	known, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")
	other := strings.ReplaceAll(string(known), strings.Fields(s.HostKeys[0].AuthorizedKey())[1], strings.Fields(stranger.AuthorizedKey())[1])
	write(t, file, other)
	keys, err = r.HostKeys(t.Context())
	if err != nil || keys[0].Known != "" || keys[0].Other == "" {
		t.Fatalf("%+v, %v", keys, err)
	}
	if err := keys[0].Record(); err == nil {
		t.Error("recorded beside another key")
	}
	if now, _ := os.ReadFile(file); string(now) != other {
		t.Error("the file was changed")
	}
}
