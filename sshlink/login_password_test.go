package sshlink

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
)

const secretWord = "correct-horse-battery"

// passwordServer is an sshd that lets the account hftest in with secretWord, by PAM. It runs
// in a mount namespace of its own, with an /etc/passwd, /etc/shadow and /etc/pam.d that nobody
// else sees.
func passwordServer(t *testing.T, config ...string) *testbed.Server {
	t.Helper()
	testbed.Need(t, "sshd", "unshare", "openssl")
	if os.Geteuid() != 0 {
		testbed.NotHere(t, "needs root for a mount namespace")
	}
	dir := t.TempDir()
	sshd := "/usr/sbin/sshd"
	if path, err := exec.LookPath("sshd"); err == nil {
		sshd = path
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.TrimSpace(run(t, "openssl", "passwd", "-6", secretWord))
	write(t, filepath.Join(dir, "passwd"), string(passwd)+"hftest:x:65432:65534::/tmp:/bin/sh\n")
	os.Chmod(filepath.Join(dir, "passwd"), 0o644)
	write(t, filepath.Join(dir, "shadow"), "root:*:19000:0:99999:7:::\nhftest:"+hash+":19000:0:99999:7:::\n")
	os.Mkdir(filepath.Join(dir, "pam.d"), 0o755)
	write(t, filepath.Join(dir, "pam.d", "sshd"), "auth required pam_unix.so nodelay\naccount required pam_permit.so\nsession required pam_permit.so\n")
	script := fmt.Sprintf("#!/bin/sh\nexec unshare -m --propagation private sh -c 'mount --bind %s/passwd /etc/passwd && mount --bind %s/shadow /etc/shadow && mount --bind %s/pam.d /etc/pam.d && exec %s \"$@\"' sshd \"$@\"\n", dir, dir, dir, sshd)
	write(t, filepath.Join(dir, "sshd"), script)
	os.Chmod(filepath.Join(dir, "sshd"), 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return testbed.StartServer(t, testbed.ServerOptions{User: "hftest", Config: append(config, "UsePAM yes")})
}

func TestLoginsByPassword(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	host := func(s *testbed.Server) string { return hostBlock(s, "host") + " IdentityAgent none\n" }
	password := passwordServer(t, "AuthenticationMethods password", "PasswordAuthentication yes")
	interactive := passwordServer(t, "AuthenticationMethods keyboard-interactive", "KbdInteractiveAuthentication yes")
	both := passwordServer(t, "AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes")
	right, wrong := map[string]string{"assword": secretWord}, map[string]string{"assword": "guess"}
	tryBoth(t, []login{
		{name: "password", want: in, config: host(password), answer: right},
		{name: "wrong password", want: refused, config: host(password), answer: wrong, says: "password"},
		{name: "password, nobody there", want: refused, config: host(password), says: "needs a password for hftest@127.0.0.1"},
		{name: "password in batch mode", want: refused, config: host(password) + " BatchMode yes\n", answer: right},
		{name: "PasswordAuthentication no", want: refused, config: host(password) + " PasswordAuthentication no\n", answer: right},
		{name: "keyboard-interactive", want: in, config: host(interactive), answer: right},
		{name: "keyboard-interactive, wrong", want: refused, config: host(interactive), answer: wrong},
		{name: "keyboard-interactive, nobody there", want: refused, config: host(interactive), says: "needs an answer for hftest@127.0.0.1"},
		{name: "KbdInteractiveAuthentication no", want: refused, config: host(interactive) + " KbdInteractiveAuthentication no\n", answer: right},
		{name: "publickey then keyboard-interactive", want: in, config: host(both) + " IdentityFile " + both.IdentityFile, answer: right},
		{name: "publickey then keyboard-interactive, wrong", want: refused, config: host(both) + " IdentityFile " + both.IdentityFile, answer: wrong},
		{name: "publickey then keyboard-interactive, no key", want: refused, config: host(both) + " IdentityFile none\n", answer: right},
	})
}

// TestTwoFields asks for two fields at once, which no PAM module of every machine does.
func TestTwoFields(t *testing.T) {
	testbed.Need(t, "ssh")
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "host"), "ed25519", "")
	signer, err := ssh.NewSignerFromSigner(key.Private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		answers, err := ask("Two\x1b[2J things", "Look at your device.", []string{"Code: ", "PIN: "}, []bool{true, false})
		if err != nil || answers[0] != "123456" || answers[1] != "0000" {
			return nil, errors.New("wrong")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	addr := serveSSH(t, config)
	known := fmt.Sprintf("[127.0.0.1]:%d %s\n", addr.Port, key.AuthorizedKey())
	host := fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n User me\n UserKnownHostsFile DIR/k\n GlobalKnownHostsFile none\n%s IdentityFile none\n", addr.Port, alone)
	files := map[string]string{"k": known}
	tryBoth(t, []login{
		{name: "two fields", want: in, config: host, files: files, answer: map[string]string{"Code": "123456", "PIN": "0000"}},
		{name: "two fields, one wrong", want: refused, config: host, files: files, answer: map[string]string{"Code": "123456", "PIN": "1111"}},
	})
}

// serveSSH is a server of x/crypto's that lets people in and does nothing for them.
func serveSSH(t testing.TB, config *ssh.ServerConfig) *net.TCPAddr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				sc, chans, reqs, err := ssh.NewServerConn(c, config)
				if err != nil {
					return
				}
				go ssh.DiscardRequests(reqs)
				go func() {
					for ch := range chans {
						ch.Reject(ssh.Prohibited, "no")
					}
				}()
				sc.Wait()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr)
}
