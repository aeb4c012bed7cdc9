package sshlink

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"golang.org/x/crypto/ssh/knownhosts"
)

// TestLoginsByHostKey crosses what known_hosts says with what StrictHostKeyChecking says.
func TestLoginsByHostKey(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	dir := t.TempDir()
	ca := testbed.NewKey(t, filepath.Join(dir, "ca"), "ed25519", "")
	otherCA := testbed.NewKey(t, filepath.Join(dir, "otherca"), "ed25519", "")
	stranger := testbed.NewKey(t, filepath.Join(dir, "stranger"), "ed25519", "")
	strangerECDSA := testbed.NewKey(t, filepath.Join(dir, "strangerecdsa"), "ecdsa", "")

	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	only := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519"}})
	key := only.HostKeys[0].AuthorizedKey()
	at := fmt.Sprintf("[%s]:%d", only.Host, only.Port)
	port := fmt.Sprint(only.Port)

	certServer := func(principals string, more ...string) *testbed.Server {
		c := testbed.StartServer(t, testbed.ServerOptions{})
		args := append([]string{"ssh-keygen", "-q", "-s", ca.File, "-I", "host", "-h", "-n", principals}, more...)
		run(t, append(args, c.HostKeyFile+".pub")...)
		c.Stop()
		appendFile(t, filepath.Join(c.Dir, "sshd_config"), "HostCertificate "+c.HostKeyFile+"-cert.pub\n")
		c.Start()
		return c
	}
	signed := certServer("127.0.0.1")
	signedWild := certServer("127.0.*")
	signedOther := certServer("elsewhere.example")
	expired := certServer("127.0.0.1", "-V", "20200101:20200102")

	known := []struct {
		name   string
		server *testbed.Server
		text   string
		want   map[string]outcome // by StrictHostKeyChecking; "" is all others
	}{
		{"known", only, at + " " + key, map[string]outcome{"": in}},
		{"hashed", only, knownLineFor(only, true), map[string]outcome{"": in}},
		{"wildcard with port", only, "[127.0.0.*]:" + port + " " + key, map[string]outcome{"": in}},
		{"without port", only, "127.0.0.1 " + key, map[string]outcome{"": in}},
		{"list and negation", only, "example.org,!" + at + ",!127.0.0.1,* " + key, map[string]outcome{"": unknownKey, "no": in, "accept-new": in}},
		{"authority", signed, "@cert-authority " + fmt.Sprintf("[127.0.0.1]:%d ", signed.Port) + ca.AuthorizedKey(), map[string]outcome{"": in}},
		{"authority for every host", signed, "@cert-authority * " + ca.AuthorizedKey(), map[string]outcome{"": in}},
		{"authority, wildcard principal", signedWild, "@cert-authority * " + ca.AuthorizedKey(), nil},
		{"authority, another principal", signedOther, "@cert-authority * " + ca.AuthorizedKey(), nil},
		{"authority, expired", expired, "@cert-authority * " + ca.AuthorizedKey(), nil},
		{"another authority", signed, "@cert-authority * " + otherCA.AuthorizedKey(), map[string]outcome{"": unknownKey, "no": in, "accept-new": in}},
		{"certificate, plain key known", signed, fmt.Sprintf("[127.0.0.1]:%d ", signed.Port) + signed.HostKeys[0].AuthorizedKey(), map[string]outcome{"": in}},
		{"revoked", only, at + " " + key + "\n@revoked " + at + " " + key, nil},
		{"revoked elsewhere", only, at + " " + key + "\n@revoked elsewhere.example " + key, map[string]outcome{"": in}},
		{"revoked authority", signed, "@cert-authority * " + ca.AuthorizedKey() + "\n@revoked * " + ca.AuthorizedKey(), nil},
		{"changed", only, at + " " + stranger.AuthorizedKey(), nil},
		{"another kind known", only, at + " " + strangerECDSA.AuthorizedKey(), nil},
		{"one of several kinds known", s, fmt.Sprintf("[127.0.0.1]:%d ", s.Port) + s.HostKeys[2].AuthorizedKey(), map[string]outcome{"": in}},
		{"unknown", only, "", map[string]outcome{"": unknownKey, "no": in, "accept-new": in}},
		{"a bad line before the good one", only, at + " ssh-ed25519 notbase64!\n|1|bad\n@what " + at + " " + key + "\n" + at + " " + key, map[string]outcome{"": in}},
	}
	var logins []loginRow
	for _, k := range known {
		stricts := []string{"yes", "accept-new", "no", "ask"}
		if len(k.want) == 1 && k.want[""] == in {
			stricts = stricts[:2] // nothing is left to decide
		}
		for _, strict := range stricts {
			want, ok := k.want[strict]
			if !ok {
				want = k.want[""]
			}
			logins = append(logins, loginRow{
				name: k.name + " " + strict, want: want,
				files: map[string]string{"known_hosts": k.text + "\n"},
				config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s\n UserKnownHostsFile DIR/known_hosts\n GlobalKnownHostsFile none\n StrictHostKeyChecking %s\n%s",
					k.server.Port, k.server.User, k.server.IdentityFile, strict, alone),
			})
		}
	}
	tryBoth(t, logins)
}

// TestLoginsByHostKeySettings tries what else decides about a host key.
func TestLoginsByHostKeySettings(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	key := s.HostKeys[0].AuthorizedKey()
	at := fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	base := fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s\n GlobalKnownHostsFile none\n%s", s.Port, s.User, s.IdentityFile, alone)
	strict := base + " StrictHostKeyChecking yes\n"
	tryBoth(t, []loginRow{
		{name: "HostKeyAlias", want: in, config: strict + " HostKeyAlias myalias\n UserKnownHostsFile DIR/k", files: map[string]string{"k": "myalias " + key + "\n"}},
		{name: "HostKeyAlias not known", want: unknownKey, config: strict + " HostKeyAlias myalias\n UserKnownHostsFile DIR/k", files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "second UserKnownHostsFile", want: in, config: strict + " UserKnownHostsFile DIR/none DIR/k", files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "GlobalKnownHostsFile", want: in, config: "GlobalKnownHostsFile DIR/k\n" + strict + " UserKnownHostsFile none", files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "known hosts in a file with tokens", want: in, config: strict + " UserKnownHostsFile DIR/%n", files: map[string]string{"host": at + " " + key + "\n"}},
		{name: "KnownHostsCommand", want: in, config: strict + " UserKnownHostsFile none\n KnownHostsCommand /bin/cat DIR/k", files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "KnownHostsCommand with tokens", want: in, config: strict + " UserKnownHostsFile none\n KnownHostsCommand /bin/echo %H " + key},
		{name: "NoHostAuthenticationForLocalhost", want: in, config: strict + " UserKnownHostsFile none\n NoHostAuthenticationForLocalhost yes"},
		{name: "RevokedHostKeys", want: revokedKey, config: strict + " UserKnownHostsFile DIR/k\n RevokedHostKeys DIR/r", files: map[string]string{"k": at + " " + key + "\n", "r": key + "\n"}},
		{name: "RevokedHostKeys of others", want: in, config: strict + " UserKnownHostsFile DIR/k\n RevokedHostKeys DIR/r", files: map[string]string{"k": at + " " + key + "\n", "r": s.Identity.AuthorizedKey() + "\n"}},
		{name: "RevokedHostKeys missing", config: strict + " UserKnownHostsFile DIR/k\n RevokedHostKeys DIR/missing", files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "RevokedHostKeys, a list of ssh-keygen's", want: revokedKey, config: strict + " UserKnownHostsFile DIR/k\n RevokedHostKeys " + krl(t, s.HostKeys[0].File+".pub"), files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "RevokedHostKeys, a list of others", want: in, config: strict + " UserKnownHostsFile DIR/k\n RevokedHostKeys " + krl(t, s.IdentityFile+".pub"), files: map[string]string{"k": at + " " + key + "\n"}},
		{name: "yes to an unknown key", want: in, config: base + " UserKnownHostsFile DIR/k", answer: map[string]string{"continue connecting": "yes"}},
		{name: "no to an unknown key", want: unknownKey, config: base + " UserKnownHostsFile DIR/k", answer: map[string]string{"continue connecting": "no"}},
		{name: "unknown key in batch mode", want: unknownKey, config: base + " BatchMode yes\n UserKnownHostsFile DIR/k", says: "nobody is there to say whether it is right"},
	})
}

// TestLearnsHostKeys wants UpdateHostKeys to record the keys that the server has besides.
func TestLearnsHostKeys(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	at := fmt.Sprintf("[%s]:%d ", s.Host, s.Port)
	for _, update := range []string{"yes", "no"} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		write(t, file, at+s.HostKeys[0].AuthorizedKey()+"\n")
		l := dialServer(t, s, "UpdateHostKeys="+update, "UserKnownHostsFile="+file)
		want := map[string]int{"yes": 3, "no": 1}[update]
		if update == "no" {
			if _, err := l.Ping(t.Context()); err != nil { // the announcement came before the answer
				t.Fatal(err)
			}
		}
		testbed.WaitFor(t, 10*time.Second, func() error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for i, key := range s.HostKeys {
				if known := strings.Contains(string(text), at+key.AuthorizedKey()); known != (i < want) {
					return fmt.Errorf("UpdateHostKeys=%s: %s known: %v", update, key.Public.Type(), known)
				}
			}
			return nil
		})
	}
}

// krl is a key revocation list with the key of a file in it.
func krl(t testing.TB, public string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "krl")
	run(t, "ssh-keygen", "-q", "-k", "-f", path, public)
	return path
}

// TestRecordsHostKeys wants what accept-new records to be what ssh then knows.
func TestRecordsHostKeys(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	for _, hash := range []string{"yes", "no"} {
		dir := t.TempDir()
		file := filepath.Join(dir, "new", "known_hosts")
		config := fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n HashKnownHosts %s\n%s",
			s.Port, s.User, s.IdentityFile, file, hash, alone)
		ours := loginRow{config: config + " StrictHostKeyChecking accept-new\n"}
		for range 2 {
			if o, err := ours.tryOurs(t); o != in {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n != 1 {
			t.Errorf("HashKnownHosts %s: %d lines recorded, want 1:\n%s", hash, n, text)
		}
		if hashed := strings.HasPrefix(string(text), "|1|"); hashed != (hash == "yes") {
			t.Errorf("HashKnownHosts %s: recorded %s", hash, text)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		plain := loginRow{config: config + " StrictHostKeyChecking yes\n"}
		if o, said := plain.tryPlain(t); o != in {
			t.Errorf("ssh does not know the key we recorded: %s", said)
		}
	}
}

// knownLineFor is a line of known_hosts with the server's key.
func knownLineFor(s *testbed.Server, hashed bool) string {
	host := fmt.Sprintf("[%s]:%d", s.Host, s.Port)
	if hashed {
		host = knownhosts.HashHostname(host)
	}
	return knownhosts.Line([]string{host}, s.HostKeys[0].Public)
}

func appendFile(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
