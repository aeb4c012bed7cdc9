package sshlink

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/sshlink/native"
	"github.com/holdfast/holdfast/testbed"
)

// withKey is a hostBlock with the server's own identity.
func withKey(s *testbed.Server, name string) string {
	return hostBlock(s, name) + alone + " IdentityFile " + s.IdentityFile + "\n"
}

// TestLoginsByRoute tries the ways to a server.
func TestLoginsByRoute(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	six := testbed.StartServer(t, testbed.ServerOptions{Addr: "::1"})
	jump1 := testbed.StartServer(t, testbed.ServerOptions{})
	jump2 := testbed.StartServer(t, testbed.ServerOptions{})
	jump3 := testbed.StartServer(t, testbed.ServerOptions{})
	closed := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AllowTcpForwarding no"}})
	jumps := withKey(jump1, "jump1") + withKey(jump2, "jump2") + withKey(jump3, "jump3") + withKey(closed, "closed")
	port := testbed.FreePort(t)
	unknown := strings.ReplaceAll(withKey(jump1, "jump1"), jump1.KnownHosts, "none")

	tryBoth(t, []loginRow{
		{name: "plain", want: in, config: withKey(s, "host")},
		{name: "ssh URL with port", to: fmt.Sprintf("ssh://%s@host:%d", s.User, s.Port), want: in,
			config: strings.ReplaceAll(withKey(s, "host"), fmt.Sprintf(" Port %d\n User %s\n", s.Port, s.User), "")},
		{name: "user in the destination", to: s.User + "@host", want: in, config: strings.ReplaceAll(withKey(s, "host"), " User "+s.User+"\n", " User nobody\n")},
		{name: "IPv6", want: in, config: withKey(six, "host")},
		{name: "AddressFamily inet6", want: in, config: "AddressFamily inet6\n" + withKey(six, "host")},
		{name: "AddressFamily inet to an IPv6 address", want: unreachable, config: "AddressFamily inet\n" + withKey(six, "host")},
		{name: "BindAddress", want: in, config: "BindAddress 127.0.0.2\n" + withKey(s, "host")},
		{name: "BindAddress of nobody here", want: unreachable, config: "BindAddress 192.0.2.1\n" + withKey(s, "host")},
		{name: "BindInterface", want: in, config: "BindInterface lo\n" + withKey(s, "host")},
		{name: "nobody listens", want: unreachable, config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n", port), says: "connection refused"},
		{name: "no such host", to: "nosuchhost.invalid", want: unreachable, config: "", says: "nosuchhost.invalid"},
		{name: "localhost by name", to: "localhost", want: in, config: fmt.Sprintf("Host localhost\n HostKeyAlias alias\n Port %d\n User %s\n IdentityFile %s\n UserKnownHostsFile DIR/k\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n%s",
			s.Port, s.User, s.IdentityFile, alone), files: map[string]string{"k": "alias " + s.HostKeys[0].AuthorizedKey() + "\n"}},

		{name: "ProxyJump", want: in, config: withKey(s, "host") + " ProxyJump jump1\n" + jumps},
		{name: "ProxyJump of three", want: in, config: withKey(s, "host") + " ProxyJump jump1,jump2,jump3\n" + jumps},
		{name: "ProxyJump of a ProxyJump", want: in, config: withKey(s, "host") + " ProxyJump jump2\n" + withKey(jump2, "jump2") + " ProxyJump jump1\n" + withKey(jump1, "jump1")},
		{name: "ProxyJump with user and port", want: in, config: withKey(s, "host") + fmt.Sprintf(" ProxyJump %s@127.0.0.1:%d\n", jump1.User, jump1.Port) + withKey(jump1, "127.0.0.1")},
		{name: "ProxyJump with a URL", want: in, config: withKey(s, "host") + fmt.Sprintf(" ProxyJump ssh://%s@127.0.0.1:%d\n", jump1.User, jump1.Port) + withKey(jump1, "127.0.0.1")},
		{name: "ProxyJump none", want: in, config: withKey(s, "host") + " ProxyJump none\n"},
		{name: "ProxyJump with an unknown key", want: unknownKey, config: withKey(s, "host") + " ProxyJump jump1\n" + unknown, says: "ProxyJump: "},
		{name: "ProxyJump that forbids forwarding", want: unreachable, config: withKey(s, "host") + " ProxyJump closed\n" + jumps},
		{name: "ProxyJump to a port that nobody listens on", want: unreachable, config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n ProxyJump jump1\n", port) + jumps},

		{name: "ProxyCommand ssh -W", want: in, config: withKey(s, "host") + " ProxyCommand ssh -F DIR/config -W [%h]:%p jump1\n" + jumps},
		{name: "ProxyCommand of python", want: in, config: withKey(s, "host") + " ProxyCommand " + relay(t, "relay") + " %h %p\n"},
		{name: "ProxyUseFdpass", want: in, config: withKey(s, "host") + " ProxyUseFdpass yes\n ProxyCommand " + relay(t, "pass") + " %h %p\n"},
		{name: "ProxyCommand that fails", want: unreachable, config: withKey(s, "host") + " ProxyCommand echo no luck >&2; exit 3\n", says: "no luck"},
		{name: "ProxyUseFdpass that fails", config: withKey(s, "host") + " ProxyUseFdpass yes\n ProxyCommand echo no luck >&2; exit 3\n", want: unreachable, says: "no luck"},
		{name: "ProxyCommand none", want: in, config: withKey(s, "host") + " ProxyCommand none\n"},

		{name: "Match final all", want: in, config: withKey(s, "host") + "Match final all\n IdentitiesOnly yes\n GSSAPIAuthentication yes\n"},
		{name: "Match final Host on the name's name", to: "alias", want: in, config: "Host alias\n HostName 127.0.0.1\nMatch final host 127.0.0.1\n" + strings.TrimPrefix(withKey(s, "x"), "Host x\n")},
		{name: "Match exec true", want: in, config: "Match exec \"test %n = host\"\n Port " + fmt.Sprint(s.Port) + "\n" + strings.Replace(withKey(s, "host"), fmt.Sprintf(" Port %d\n", s.Port), "", 1)},
		{name: "Match exec false", want: unreachable, config: "Match exec false\n Port " + fmt.Sprint(s.Port) + "\n" + strings.Replace(withKey(s, "host"), fmt.Sprintf(" Port %d\n", s.Port), "", 1) + fmt.Sprintf("Host *\n Port %d\n", port)},
		{name: "Include with a glob", want: in, config: "Include DIR/conf.d/*.conf\n", files: map[string]string{"conf.d/10.conf": "Host other\n Port 1\n", "conf.d/20.conf": withKey(s, "host")}},
		{name: "Include whose Host does not leak", want: in, config: "Include DIR/first\n" + strings.TrimPrefix(withKey(s, "x"), "Host x\n"), files: map[string]string{"first": "Host nothing\n Port 1\n"}, to: "whatever"},
		{name: "canonical host name", to: "127", want: in, config: "CanonicalizeHostname yes\nCanonicalDomains 0.0.1\n" + withKey(s, "127") + withKey(s, "127.0.0.1")},
		{name: "ConnectionAttempts", want: unreachable, config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n ConnectionAttempts 2\n", port)},
	})
}

// TestIPv6URL is a destination that ssh of Debian 12 does not take, and later ones do.
func TestIPv6URL(t *testing.T) {
	six := testbed.StartServer(t, testbed.ServerOptions{Addr: "::1"})
	l := loginRow{to: fmt.Sprintf("ssh://[::1]:%d", six.Port), config: withKey(six, "*")}
	l.config = strings.ReplaceAll(l.config, fmt.Sprintf(" HostName ::1\n Port %d\n", six.Port), "")
	if o, err := l.tryOurs(t); o != in {
		t.Error(err)
	}
}

// relay is a ProxyCommand that connects: "relay" copies, "pass" hands the socket over.
func relay(t testing.TB, how string) string {
	t.Helper()
	testbed.Need(t, "python3")
	path := filepath.Join(t.TempDir(), how)
	const head = "#!/usr/bin/env python3\nimport array, socket, sys, threading\nc = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
	body := map[string]string{
		"pass": "s = socket.socket(fileno=1)\ns.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [c.fileno()]))])\n",
		"relay": `def copy(read, write):
    while True:
        b = read(65536)
        if not b: break
        write(b)
import os
threading.Thread(target=copy, args=(lambda n: os.read(0, n), c.sendall), daemon=True).start()
copy(c.recv, lambda b: os.write(1, b))
`}[how]
	write(t, path, head+body)
	os.Chmod(path, 0o755)
	return path
}

// TestLoginsByAlgorithm tries a server that offers one algorithm at a time.
func TestLoginsByAlgorithm(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	ssh := func(query string) []string {
		out, err := exec.Command("ssh", "-Q", query).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	has := native.Supported()
	lists := []struct {
		keyword, query string
		ours           []string
		fix            string // another line of sshd_config, so that this algorithm is put to use
		missing        []string
	}{
		{"KexAlgorithms", "kex", has.KeyExchanges, "", []string{"sntrup761x25519-sha512@openssh.com"}},
		{"Ciphers", "cipher", has.Ciphers, "", nil},
		{"MACs", "mac", has.MACs, "Ciphers aes128-ctr", []string{"umac-128-etm@openssh.com"}},
	}
	for _, list := range lists {
		var logins []loginRow
		for _, name := range ssh(list.query) {
			supported := contains(list.ours, name)
			if !supported && !contains(list.missing, name) {
				continue
			}
			s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{list.keyword + " " + name, list.fix}})
			// Weak ones are only used by who names them.
			config := withKey(s, "host") + " " + list.keyword + " " + name + "\n"
			l := loginRow{name: list.keyword + " " + name, config: config, want: in}
			if !supported {
				if o, err := l.tryOurs(t); o != noCommon && o != misspelt || !strings.Contains(fmt.Sprint(err), "native") {
					t.Errorf("%s: %s, %v", l.name, o, err)
				}
				l.config = withKey(s, "host")
				if o, err := l.tryOurs(t); o != noCommon || !strings.Contains(fmt.Sprint(err), name) || !strings.Contains(fmt.Sprint(err), list.keyword) {
					t.Errorf("%s: %s, %v: what is missing is not named", l.name, o, err)
				} else {
					t.Log(err)
				}
				continue
			}
			logins = append(logins, l)
		}
		tryBoth(t, logins)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
