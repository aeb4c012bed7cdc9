package sshlink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
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
	r, err := Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: config}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The jump host first, then the one behind it.
	for _, want := range []struct {
		server *testbed.Server
		last   bool
	}{{jump, false}, {s, true}} {
		if _, err := r.Dial(t.Context()); fault.As(err) == nil || fault.As(err).Class() != fault.ClassDistrusted {
			t.Fatalf("before its keys are recorded: %v", err)
		}
		logins := jump.Logins()
		keys, err := r.HostKeys(t.Context())
		if err != nil || len(keys.Keys) != len(want.server.HostKeys) || keys.Last != want.last || keys.File != file || keys.Trusted() {
			t.Fatalf("%+v, %v", keys, err)
		}
		if want.last && jump.Logins() != logins+1 {
			t.Errorf("%d logins to the host on the way", jump.Logins()-logins)
		}
		for i, k := range keys.New() {
			if k.Standing != hostkeys.KeyNew || k.Key.Type() != want.server.HostKeys[i].Public.Type() || !hostkeys.Same(k.Key, want.server.HostKeys[i].Public) {
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
	if err != nil || len(keys.Keys) != 3 || !keys.Trusted() || len(keys.New()) > 0 || !strings.HasPrefix(keys.Keys[2].Place, file+":") {
		t.Errorf("%+v, %v", keys, err)
	}

	// The host on the way shows another key: it is the one to speak of.
	known, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")
	blob := func(k testbed.Key) string { return strings.Fields(k.AuthorizedKey())[1] }
	write(t, file, strings.ReplaceAll(string(known), blob(jump.HostKeys[0]), blob(stranger)))
	keys, err = r.HostKeys(t.Context())
	if err != nil || keys.Last || len(keys.Keys) != 1 || keys.Keys[0].Standing != hostkeys.KeyChanged {
		t.Errorf("%+v, %v", keys, err)
	}
	// A host that is not there.
	write(t, file, string(known))
	jump.Stop()
	if keys, err := r.HostKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "ProxyJump") {
		t.Errorf("%+v, %v", keys, err)
	}
}

// TestHostKeyStandings: what known_hosts files say of the keys that a server shows.
func TestHostKeyStandings(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	ed, ec, rsa := s.HostKeys[0].AuthorizedKey(), s.HostKeys[1].AuthorizedKey(), s.HostKeys[2].AuthorizedKey()
	other := testbed.NewKey(t, filepath.Join(t.TempDir(), "other"), "ed25519", "").AuthorizedKey()
	otherRSA := testbed.NewKey(t, filepath.Join(t.TempDir(), "rsa"), "rsa", "").AuthorizedKey()
	host := fmt.Sprintf("[127.0.0.1]:%d ", s.Port)
	for _, c := range []struct {
		what, known string
		settings    string // besides the server's own
		want        string // standing and line of each
		records     int    // how many may be recorded
	}{
		{"nothing", "", "", "new 0, new 0, new 0", 3},
		{"one is known", host + ed + "\n", "", "known 1, new 0, new 0", 2},
		{"a line without a port", "#\n127.0.0.1 " + ec + "\n", "", "new 0, known 2, new 0", 2},
		{"a line without a port says no to nothing", "127.0.0.1 " + other + "\n", "", "new 0, new 0, new 0", 3},
		{"all changed", host + other + "\n", "", "changed 1, changed 1, changed 1", 0},
		{"one of a kind changed", host + ed + "\n\n" + host + otherRSA + "\n", "", "known 1, new 0, changed 3", 0},
		{"a pattern", "*.1,[127.0.0.*]:* " + rsa + "\n", "", "new 0, new 0, known 1", 2},
		{"an alias", "alias " + ed + "\n" + host + other + "\n", "HostKeyAlias alias", "known 1, new 0, new 0", 2},
		{"revoked", host + rsa + "\n@revoked * " + ed + "\n", "", "revoked 2, new 0, known 1", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "known_hosts")
			config := filepath.Join(t.TempDir(), "config")
			write(t, file, c.known)
			write(t, config, strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, file)+c.settings+"\n")
			for _, hashed := range []bool{false, true} {
				if hashed {
					if c.known == "" || strings.Contains(c.known, "*") || strings.Contains(c.known, "#") {
						continue
					}
					run(t, "ssh-keygen", "-H", "-f", file)
				}
				r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config}, nil)
				if err != nil {
					t.Fatal(err)
				}
				keys, err := r.HostKeys(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, k := range keys.Keys {
					place := k.Place
					for _, l := range k.Others {
						place = l.Place()
					}
					_, line, found := strings.Cut(place, file+":")
					if !found {
						line = "0"
					}
					got = append(got, string(k.Standing)+" "+line)
				}
				if strings.Join(got, ", ") != c.want || len(keys.New()) != c.records {
					t.Errorf("hashed %v: %q, want %q; %d to record, want %d", hashed, got, c.want, len(keys.New()), c.records)
				}
				for _, k := range keys.Keys {
					if err := k.Record(); (err == nil) != (k.Standing == hostkeys.KeyNew || k.Standing == hostkeys.KeyKnown) {
						t.Errorf("%s is recorded: %v", k.Standing, err)
					}
				}
				write(t, file, c.known)
				// The mend is one.
				if mend := keys.Mend(); len(mend) > 0 {
					run(t, "sh", "-c", mend[0])
					if keys, err := r.HostKeys(t.Context()); err != nil || keys.Has(hostkeys.KeyChanged) {
						t.Errorf("after %q: %+v, %v", mend, keys, err)
					}
					write(t, file, c.known)
				} else if strings.Contains(c.want, "changed") {
					t.Error("no mend")
				}
			}
		})
	}

	// Through a ProxyCommand, as ssh would go.
	byProxy := filepath.Join(t.TempDir(), "config")
	write(t, byProxy, fmt.Sprintf("Host host\n HostName no-such-host.invalid\n ProxyCommand nc 127.0.0.1 %d\n UserKnownHostsFile /dev/null\n GlobalKnownHostsFile /dev/null\n", s.Port))
	testbed.Need(t, "nc")
	proxied, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: byProxy}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := proxied.HostKeys(t.Context()); err != nil || len(keys.New()) != 3 || keys.Host != "no-such-host.invalid" {
		t.Errorf("%+v, %v", keys, err)
	}

	// A certificate whose authority is known needs no line of its own.
	authority := testbed.NewKey(t, filepath.Join(t.TempDir(), "ca"), "ed25519", "")
	run(t, "ssh-keygen", "-q", "-s", authority.File, "-I", "host", "-h", "-n", "127.0.0.1", s.HostKeys[0].File+".pub")
	certified := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"HostKey " + s.HostKeys[0].File, "HostCertificate " + s.HostKeys[0].File + "-cert.pub"}})
	file := filepath.Join(t.TempDir(), "known_hosts")
	write(t, file, "@cert-authority * "+authority.AuthorizedKey()+"\n")
	config := filepath.Join(t.TempDir(), "config")
	write(t, config, strings.ReplaceAll(withKey(certified, "host"), certified.KnownHosts, file))
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config}, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := r.HostKeys(t.Context())
	if err != nil || !keys.Trusted() || keys.Keys[0].Standing != hostkeys.KeyKnown || keys.Keys[0].Place != file+":1" || !strings.Contains(keys.Keys[0].Type, "cert") {
		t.Errorf("%+v, %v", keys, err)
	}
}
