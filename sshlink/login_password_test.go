package sshlink

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const secretWord = "correct-horse-battery"

// passwordServer is an sshd that lets the account hftest in with secretWord, by PAM. It runs
// in a mount namespace of its own, with an /etc/passwd, /etc/shadow and /etc/pam.d that nobody
// else sees. More PAM modules may be asked besides.
func passwordServer(t *testing.T, pam []string, config ...string) *testbed.Server {
	t.Helper()
	testbed.Need(t, "sshd", "openssl")
	dir := t.TempDir()
	hash := strings.TrimSpace(run(t, "openssl", "passwd", "-6", secretWord))
	write(t, filepath.Join(dir, "shadow"), "root:*:19000:0:99999:7:::\nhftest:"+hash+":19000:0:99999:7:::\n")
	os.Mkdir(filepath.Join(dir, "pam.d"), 0o755)
	lines := append([]string{"auth required pam_unix.so nodelay"}, pam...)
	lines = append(lines, "account required pam_permit.so", "session required pam_permit.so", "")
	write(t, filepath.Join(dir, "pam.d", "sshd"), strings.Join(lines, "\n"))
	wrapProgram(t, "sshd", map[string]string{
		"/etc/passwd": withAccount(t, "hftest"), "/etc/shadow": filepath.Join(dir, "shadow"), "/etc/pam.d": filepath.Join(dir, "pam.d"),
	})
	return testbed.StartServer(t, testbed.ServerOptions{User: "hftest", Config: append(config, "UsePAM yes")})
}

// oneTimeCode is a time-based code of RFC 6238 for now, as an authenticator on a telephone shows it.
func oneTimeCode(secret []byte, now time.Time) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(now.Unix()/30)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&0x7fffffff%1e6)
}

func TestLoginsByPassword(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	host := func(s *testbed.Server) string { return hostBlock(s, "host") + " IdentityAgent none\n" }
	password := passwordServer(t, nil, "AuthenticationMethods password", "PasswordAuthentication yes")
	interactive := passwordServer(t, nil, "AuthenticationMethods keyboard-interactive", "KbdInteractiveAuthentication yes")
	both := passwordServer(t, nil, "AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes")
	// What a phone shows, after the password: two fields, which PAM asks for one after the other.
	secret := []byte("a secret shared with a telephone")[:20]
	phone := filepath.Join(t.TempDir(), "phone")
	write(t, phone, base32.StdEncoding.EncodeToString(secret)+"\n\" WINDOW_SIZE 17\n\" TOTP_AUTH\n")
	os.Chmod(phone, 0o400)
	codes := passwordServer(t, []string{"auth required pam_google_authenticator.so user=root secret=" + phone},
		"AuthenticationMethods keyboard-interactive publickey,keyboard-interactive", "KbdInteractiveAuthentication yes")
	code := oneTimeCode(secret, time.Now())
	right, wrong := map[string]string{"assword": secretWord}, map[string]string{"assword": "guess"}
	tryBoth(t, []loginRow{
		{name: "password", want: in, config: host(password), answer: right},
		{name: "wrong password", want: refused, config: host(password), answer: wrong, says: "password"},
		{name: "password, nobody there", want: refused, config: host(password), says: "needs a password for hftest@127.0.0.1"},
		{name: "password in batch mode", want: refused, config: host(password) + " BatchMode yes\n", answer: right},
		{name: "PasswordAuthentication no", want: refused, config: host(password) + " PasswordAuthentication no\n", answer: right},
		{name: "keyboard-interactive", want: in, config: host(interactive), answer: right},
		{name: "keyboard-interactive, wrong", want: refused, config: host(interactive), answer: wrong},
		{name: "keyboard-interactive, nobody there", want: refused, config: host(interactive), says: "needs an answer for hftest@127.0.0.1", reason: fault.Password},
		{name: "keyboard-interactive, nobody there, by openssh", want: refused, transport: tunnelfile.TransportOpenSSH, config: host(interactive), says: "needs an answer for hftest@127.0.0.1", reason: fault.Password},
		{name: "KbdInteractiveAuthentication no", want: refused, config: host(interactive) + " KbdInteractiveAuthentication no\n", answer: right},
		{name: "password and code", want: in, config: host(codes) + " IdentityFile none\n", answer: map[string]string{"assword": secretWord, "ode": code}},
		{name: "password and a wrong code", want: refused, config: host(codes) + " IdentityFile none\n", answer: map[string]string{"assword": secretWord, "ode": "1234567"}},
		{name: "password and no code", want: refused, config: host(codes) + " IdentityFile none\n", answer: map[string]string{"assword": secretWord}, says: "Verification code", reason: fault.Code},
		{name: "publickey, password and code", want: in, config: host(codes) + " IdentityFile " + codes.IdentityFile, answer: map[string]string{"assword": secretWord, "ode": code}},
		{name: "password and code by openssh", want: in, config: host(codes) + " IdentityFile none\n", answer: map[string]string{"assword": secretWord, "ode": code}, transport: tunnelfile.TransportOpenSSH},
		{name: "password by openssh", want: in, config: host(password), answer: right, transport: tunnelfile.TransportOpenSSH},
		{name: "wrong password by openssh", want: refused, config: host(password), answer: wrong, transport: tunnelfile.TransportOpenSSH, says: "password"},
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
	tryBoth(t, []loginRow{
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
