package sshlink

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// resolveWith resolves host with an ssh_config(5) text and an [SSH] section.
func resolveWith(t testing.TB, config string, section ...string) (*Resolved, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, config)
	return Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: file, Settings: settings(section...), Log: testLogger(t)}, nil)
}

// TestRemoteCommandOfSSHConfig wants none: it is for who logs in, and ssh -N does not run it.
func TestRemoteCommandOfSSHConfig(t *testing.T) {
	testbed.Need(t, "ssh")
	r, err := resolveWith(t, "RemoteCommand tmux attach\n")
	if err != nil || r.RemoteCommand != "" {
		t.Errorf("%q, %v", r.RemoteCommand, err)
	}
	for _, e := range r.Explain(t.Context()) {
		if e.Keyword == "RemoteCommand" && e.Note != "not about tunnels" {
			t.Errorf("explained: %+v", e)
		}
	}
}

// TestOwnCiphersWin wants the person's Ciphers to beat ours, and ours ssh's.
func TestOwnCiphersWin(t *testing.T) {
	testbed.Need(t, "ssh")
	for config, want := range map[string][]string{
		"": cipherOrder(),
		"Ciphers aes256-ctr,aes128-gcm@openssh.com":                   {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Match final all\n Ciphers aes256-ctr,aes128-gcm@openssh.com": {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Ciphers ^aes256-ctr":                                         {"aes256-ctr", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"},
	} {
		r, err := resolveWith(t, config+"\n")
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.algorithms(nil)
		if err != nil || !slices.Equal(a.Ciphers, want) {
			t.Errorf("%q: %v, want %v; %v", config, a.Ciphers, want, err)
		}
	}
	if kex := firstKex(t); kex != "mlkem768x25519-sha256" {
		t.Errorf("first key exchange is %s", kex)
	}
}

func firstKex(t *testing.T) string {
	r, err := resolveWith(t, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.algorithms(nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.KeyExchanges[0]
}

// TestWithoutSSH takes ssh away.
func TestWithoutSSH(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	t.Setenv("PATH", t.TempDir())
	l := dialBy(t, tunnelfile.TransportAuto, s)
	if _, err := l.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	r, err := resolveWith(t, "Host *\n ServerAliveInterval 99\n", "Port=2222", "ServerAliveCountMax=7", "IdentityFile=/a", "IdentityFile=\"/b c\"", "ConnectTimeout=1m")
	if err != nil {
		t.Fatal(err)
	}
	if r.Port != 2222 || r.ServerAliveInterval != 10*time.Second || r.ServerAliveCountMax != 7 || r.ConnectTimeout != time.Minute || r.HostName != "host" ||
		!slices.Equal(r.Values("identityfile"), []string{"/a", "/b c"}) {
		t.Errorf("%+v", r)
	}
	_, err = resolveWith(t, "", "Prot=22")
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), "test.tunnel:1: Prot") {
		t.Error(err)
	}
	_, err = Resolve(t.Context(), source{Destination: "host", Transport: tunnelfile.TransportOpenSSH}, nil)
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken {
		t.Error(err)
	}
}

// FuzzKnownLine reads anything as a line of a known_hosts file.
func FuzzKnownLine(f *testing.F) {
	f.Add("[127.0.0.1]:22,host* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8b5nGZ5hZ5b7mP5oHk8p5q4Z1i5p0V7l3Xq9QbY2pK comment")
	f.Add("|1|c2FsdA==|aGFzaA==| ssh-rsa AAAA")
	f.Add("@cert-authority *.example.org,!x ssh-ed25519 AAAA")
	f.Add("@revoked\t* ssh-ed25519")
	f.Fuzz(func(t *testing.T, line string) {
		k, about, err := parseKnownLine(line, "[127.0.0.1]:22")
		if about && (err != nil || k.key == nil) {
			t.Errorf("%q: about the host, but %v, %v", line, k.key, err)
		}
	})
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "x", true}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "acb", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"", "", true}, {"", "a", false}, {"*a*b*", "xxaxxbxx", true},
		{"[127.0.0.*]:22", "[127.0.0.1]:22", true}, {strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := wildcard(c.pattern, c.name); got != c.want {
			t.Errorf("%.20q against %.20q: %v", c.pattern, c.name, got)
		}
	}
}
