package keyring

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAccountOf(t *testing.T) {
	for _, c := range []struct {
		kind, prompt string
		want         Account
		what         string
	}{
		{"passphrase", "Enter passphrase for key '/h/id': ", "passphrase: Enter passphrase for key '/h/id'", "the passphrase for key '/h/id'"},
		{"password", "me@host's password: ", "password: me@host's password", "me@host's password"},
		{"code", "(me@host) Verification code: ", "", ""},
		{"pin", "Enter PIN for ED25519-SK key /h/id: ", "", ""},
		{"other", "Favourite colour? ", "", ""},
	} {
		if got := AccountOf(c.kind, c.prompt); got != c.want || got.What() != c.what {
			t.Errorf("%s %q: %q, for people %q", c.kind, c.prompt, got, got.What())
		}
	}
	// What a server's own words make must never be what a key file's passphrase is kept under.
	key := AccountOf("passphrase", "Enter passphrase for key '/h/id': ")
	for _, fromServer := range []string{"(me@host) Enter passphrase for key '/h/id': ", "Enter passphrase for key '/h/id':\n(me@host) "} {
		if AccountOf("passphrase", fromServer) == key {
			t.Errorf("%q gets the key's passphrase", fromServer)
		}
	}
}

func TestDeclined(t *testing.T) {
	env := map[string]string{"HOME": t.TempDir()}
	d := DefaultDeclined(func(key string) string { return env[key] })
	if want := filepath.Join(env["HOME"], ".local/state/holdfast/not-remembered.json"); d.Path != want {
		t.Fatalf("kept at %s", d.Path)
	}
	if d.Has("a") {
		t.Error("an account that nobody declined")
	}
	for range 2 {
		for _, a := range []Account{"a", "b"} {
			if err := d.Add(a); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := DefaultDeclined(func(key string) string { return env[key] })
	if !again.Has("a") || !again.Has("b") || again.Has("c") {
		t.Error("what was declined is not what is kept")
	}
	if info, err := os.Stat(d.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	// A file that somebody broke is not written over.
	if err := os.WriteFile(d.Path, []byte("not json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := again.Add("c"); err == nil {
		t.Error("wrote over a file that it cannot read")
	}
	nowhere := DefaultDeclined(func(string) string { return "" })
	if err := nowhere.Add("a"); err != nil || nowhere.Has("a") {
		t.Error("no place to keep it:", err)
	}
}
