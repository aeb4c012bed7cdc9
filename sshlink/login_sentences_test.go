package sshlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestSameSentences wants both transports to say the same, in the same words, of a login that
// fails: the sentence is what the person reads in status and in the notification.
func TestSameSentences(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent", "ssh-keygen")
	dir := t.TempDir()
	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa"}})
	two := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxAuthTries 2"}})
	password := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AuthenticationMethods password", "PasswordAuthentication yes"}})
	ctr := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"Ciphers aes256-ctr"}})
	stranger := testbed.NewKey(t, filepath.Join(dir, "stranger"), "ed25519", "")
	strangerECDSA := testbed.NewKey(t, filepath.Join(dir, "strangerecdsa"), "ecdsa", "")
	locked := lockedKey(t, filepath.Join(dir, "locked"), "ed25519", "open sesame")
	s.Authorize(locked.AuthorizedKey())
	crowded := testbed.Agent(t, stranger, strangerECDSA, locked)
	full := fullServer(t)
	host, at := hostBlock(s, "host"), fmt.Sprintf("[%s]:%d ", s.Host, s.Port)
	knownAs := func(s *testbed.Server, lines string) string {
		file := filepath.Join(t.TempDir(), "known_hosts")
		write(t, file, lines+"\n")
		return strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, file)
	}
	ask := func(config string) string {
		return strings.ReplaceAll(config, "StrictHostKeyChecking yes", "StrictHostKeyChecking ask")
	}
	shown := hostkeys.Fingerprint(s.HostKeys[0].Public)
	port := testbed.FreePort(t)

	for _, c := range []struct {
		name, config string
		reason       fault.Reason
		says         []string // parts that matter to a person
		answer       map[string]string
		about        bool // ssh does not say all that we do
	}{
		{name: "wrong key", config: host + alone + " IdentityFile " + stranger.File, reason: fault.Denied,
			says: []string{"refused every way to log in as " + s.User + "; tried " + stranger.File + "; it takes publickey"}},
		{name: "no key", config: host + alone + " IdentityFile none", reason: fault.Denied, says: []string{"there was no key to try"}},
		{name: "too many keys", config: hostBlock(two, "host") + " IdentityAgent " + crowded.Socket + "\n", reason: fault.Denied, says: []string{"MaxAuthTries"}},
		{name: "no passphrase", config: host + alone + " IdentityFile " + locked.File, reason: fault.Passphrase, says: []string{"needs a passphrase for " + locked.File}},
		{name: "wrong passphrase", config: host + alone + " IdentityFile " + locked.File, reason: fault.Passphrase,
			says: []string{"was given a wrong passphrase for " + locked.File}, answer: map[string]string{locked.File: "wrong"}},
		{name: "no password", config: hostBlock(password, "host") + alone + " IdentityFile none", reason: fault.Password, says: []string{"needs a password for " + s.User + "@127.0.0.1"}},
		{name: "unknown host key", config: knownAs(s, ""), reason: fault.HostKeyUnknown, says: []string{"is not known: " + shown}},
		{name: "unknown host key, nobody there", config: ask(knownAs(s, "")), reason: fault.HostKeyUnknown, says: []string{"nobody is there", shown}},
		{name: "unknown host key, not accepted", config: ask(knownAs(s, "")), reason: fault.HostKeyUnknown, says: []string{"was not accepted: " + shown},
			answer: map[string]string{"continue connecting": "no"}},
		{name: "changed host key", config: knownAs(s, at+stranger.AuthorizedKey()), reason: fault.HostKeyChanged,
			says: []string{"has changed", "known_hosts:1 has " + hostkeys.Fingerprint(stranger.Public), "shows " + shown, "or the server was set up anew"}},
		{name: "changed host keys, several lines", config: knownAs(s, "# mine\n"+at+strangerECDSA.AuthorizedKey()+"\n"+at+stranger.AuthorizedKey()), reason: fault.HostKeyChanged,
			says: []string{"known_hosts:3 has " + hostkeys.Fingerprint(stranger.Public), "known_hosts:2 has " + hostkeys.Fingerprint(strangerECDSA.Public), "shows " + shown}},
		{name: "revoked host key", config: knownAs(s, "@revoked * "+s.HostKeys[0].AuthorizedKey()), reason: fault.HostKeyRevoked, says: []string{"marked as revoked at ", "known_hosts:1: " + shown}},
		{name: "revoked by a file", config: withKey(s, "host") + " RevokedHostKeys " + s.HostKeyFile + ".pub\n", reason: fault.HostKeyRevoked, says: []string{"is revoked by " + s.HostKeyFile + ".pub: " + shown}},
		{name: "nobody listens", config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n", port), reason: fault.Unreachable, says: []string{fmt.Sprintf("cannot connect to 127.0.0.1 port %d: connection refused", port)}},
		{name: "no such host", config: "Host host\n HostName nosuchhost.invalid\n", reason: fault.Unreachable, says: []string{"nosuchhost.invalid", "no such host"}},
		{name: "too many connections", config: withKey(full, "host"), reason: fault.TurnedAway, says: []string{"turns this address away for now"}},
		{name: "a jump host refuses", config: withKey(s, "host") + " ProxyJump jump\n" + hostBlock(two, "jump") + alone + " IdentityFile " + stranger.File + "\n", reason: fault.Denied, about: true,
			says: []string{"ProxyJump: 127.0.0.1 refused every way to log in as " + s.User, "it takes publickey"}},
		{name: "a jump host with a changed key", config: withKey(s, "host") + " ProxyJump jump\n" + strings.Replace(knownAs(two, fmt.Sprintf("[127.0.0.1]:%d ", two.Port)+stranger.AuthorizedKey()), "Host host", "Host jump", 1), reason: fault.HostKeyChanged, about: true,
			says: []string{"ProxyJump: the host key of 127.0.0.1 has changed: ", hostkeys.Fingerprint(stranger.Public), ssh.FingerprintSHA256(two.HostKeys[0].Public)}},
		{name: "a proxy command that fails", config: withKey(s, "host") + " ProxyCommand echo no luck >&2; exit 3\n", reason: fault.Unreachable, about: true,
			says: []string{"no answer from 127.0.0.1 through its ProxyCommand"}},
		{name: "a KnownHostsCommand that fails", config: withKey(s, "host") + " KnownHostsCommand /bin/false\n", reason: fault.Unreachable, about: true, says: []string{"KnownHostsCommand /bin/false"}},
		{name: "a name that cannot be made canonical", config: "Host host\n CanonicalizeHostname yes\n CanonicalizeFallbackLocal no\n CanonicalDomains nosuchdomain.invalid\n", reason: fault.Unreachable, says: []string{"Could not resolve host"}},
		{name: "a Match exec that is killed", config: withKey(s, "host") + "Match exec \"kill -9 $$\"\n Port 1\n", reason: fault.Unreachable, about: true, says: []string{"exited abnormally"}},
		{name: "no cipher in common", config: withKey(ctr, "host") + " Ciphers aes128-ctr\n", reason: fault.Settings, says: []string{"no Ciphers in common; the server offers only aes256-ctr"}},
		{name: "bad setting", config: withKey(s, "host") + " Ciphers rot13\n", reason: fault.Settings, says: []string{"rot13"}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			said := make(map[tunnelfile.Transport]string)
			for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
				l := loginRow{config: c.config, transport: transport, answer: c.answer}
				o, err := l.tryOurs(t)
				if o == in {
					t.Fatalf("%s: logged in", transport)
				}
				if got := fault.ReasonOf(err); got != c.reason {
					t.Errorf("%s: %s, want %s: %v", transport, got, c.reason, err)
				}
				said[transport] = err.Error()
				for _, part := range c.says {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: %q is not in %q", transport, part, err)
					}
				}
				if strings.ContainsAny(err.Error(), "\r\n") {
					t.Errorf("%s: more than one line: %q", transport, err)
				}
			}
			native, openssh := said[tunnelfile.TransportNative], said[tunnelfile.TransportOpenSSH]
			same := strings.NewReplacer("the native transport", "ssh").Replace(native) == openssh
			// Each try has a folder of its own for its configuration.
			if !same && !c.about && c.name != "bad setting" {
				t.Errorf("native says:  %s\nopenssh says: %s", native, openssh)
			}
			t.Log(openssh)
		})
	}
}

// fullServer is one whose MaxStartups is used up.
func fullServer(t testing.TB) *testbed.Server {
	t.Helper()
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 1:100:1"}})
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.Read(make([]byte, 1)) // its greeting: it has been counted
	return s
}

// TestErrorsTellTheirCause wants what keeper looks for behind the sentences: it waits less for a
// server that is not there than for one that it may trouble.
func TestErrorsTellTheirCause(t *testing.T) {
	testbed.Need(t, "ssh")
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		_, err := loginRow{config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n", testbed.FreePort(t)), transport: transport}.tryOurs(t)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		_, err = loginRow{config: "Host host\n HostName nosuchhost.invalid\n", transport: transport}.tryOurs(t)
		if _, ok := errors.AsType[*net.DNSError](err); !ok {
			t.Errorf("no such host: %v", err)
		}
	})
}

// TestHostKeyQuestion wants the question for an unknown host key to have its fingerprint and its
// picture, over both transports.
func TestHostKeyQuestion(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		var asked asking.Question
		yes := asker{confirm: func(_ context.Context, q asking.Question) (bool, error) { asked = q; return true, nil }}
		config := filepath.Join(t.TempDir(), "config")
		known := filepath.Join(t.TempDir(), "known_hosts")
		write(t, config, strings.NewReplacer(s.KnownHosts, known, "StrictHostKeyChecking yes", "StrictHostKeyChecking ask").Replace(withKey(s, "host")))
		r, err := Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: config, Transport: transport, Log: testLogger(t)}, yes)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		_, sum, _ := strings.Cut(hostkeys.Fingerprint(s.HostKeys[0].Public), " ")
		if asked.Kind != asking.KindHostKey || !strings.Contains(asked.Prompt, sum) || !strings.Contains(asked.Prompt, strings.TrimSpace(hostkeys.Randomart(s.HostKeys[0].Public))) ||
			!strings.HasSuffix(asked.Prompt, "continue connecting?") || asked.Subject != fmt.Sprintf("[%s]:%d", s.Host, s.Port) {
			t.Errorf("asked %+v", asked)
		}
		t.Log(asked.Prompt)
	})
}

// TestServerGone wants the end of a server that was up to be a passing one, and said alike.
func TestServerGone(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	transports(t, func(t *testing.T, transport tunnelfile.Transport) {
		s := testbed.StartServer(t, testbed.ServerOptions{})
		l := dialBy(t, transport, s)
		s.KillSessions(syscall.SIGTERM)
		within(t, promptly, "Wait", func() {
			err := l.Wait()
			if fault.ReasonOf(err) != fault.Lost || !strings.Contains(err.Error(), s.Host+" closed the connection") {
				t.Errorf("%s: %v", fault.ReasonOf(err), err)
			}
		})
	})
}
