package sshlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestLoginsByOpenSSH wants the same outcomes of the openssh transport as of ssh itself.
func TestLoginsByOpenSSH(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent")
	dir := t.TempDir()
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxAuthTries 2"}})
	sntrup := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"KexAlgorithms sntrup761x25519-sha512@openssh.com"}})
	umac := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"Ciphers aes128-ctr", "MACs umac-64@openssh.com"}})
	stranger := testbed.NewKey(t, filepath.Join(dir, "stranger"), "ed25519", "")
	var eight []testbed.Key
	for i := range 8 {
		eight = append(eight, testbed.NewKey(t, filepath.Join(dir, fmt.Sprint("wrong", i)), "ed25519", ""))
	}
	crowded := testbed.Agent(t, eight...)
	host := hostBlock(s, "host")
	at := fmt.Sprintf("[%s]:%d ", s.Host, s.Port)
	for _, l := range []loginRow{
		{name: "in", want: in, config: withKey(s, "host")},
		{name: "by a jump", want: in, config: withKey(s, "host") + " ProxyJump jump\n" + withKey(sntrup, "jump")},
		{name: "refused", want: refused, config: host + alone + " IdentityFile " + stranger.File},
		{name: "too many", want: tooMany, config: host + " IdentityAgent " + crowded.Socket},
		{name: "unknown", want: unknownKey, config: strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, "none")},
		{name: "changed", want: changedKey, config: strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, "DIR/k"), files: map[string]string{"k": at + stranger.AuthorizedKey() + "\n"}},
		{name: "revoked", want: revokedKey, config: strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, "DIR/k"), files: map[string]string{"k": "@revoked * " + s.HostKeys[0].AuthorizedKey() + "\n"}},
		{name: "nobody listens", want: unreachable, config: fmt.Sprintf("Host host\n HostName 127.0.0.1\n Port %d\n", testbed.FreePort(t))},
		{name: "no such host", want: unreachable, config: "Host host\n HostName nosuchhost.invalid\n"},
		{name: "no common cipher", want: noCommon, config: withKey(umac, "host") + " Ciphers aes256-gcm@openssh.com\n"},
		{name: "only sntrup761", want: in, config: withKey(sntrup, "host")},
		{name: "only umac", want: in, config: withKey(umac, "host")},
		{name: "by auto, only sntrup761", want: in, config: withKey(sntrup, "host"), transport: tunnelfile.TransportAuto},
		{name: "by auto, only umac", want: in, config: withKey(umac, "host"), transport: tunnelfile.TransportAuto},
	} {
		t.Run(strings.ReplaceAll(l.name, " ", "_"), func(t *testing.T) {
			if l.transport == "" {
				l.transport = tunnelfile.TransportOpenSSH
			}
			got, err := l.tryOurs(t)
			if got != l.want {
				t.Errorf("%s, want %s; said %v", got, l.want, err)
			}
			if err != nil {
				t.Log(err)
			}
		})
	}
}

// TestOpenSSHAsks wants ssh's questions to reach the Asker, and the environment's own askpass
// never to be asked.
func TestOpenSSHAsks(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	locked := lockedKey(t, filepath.Join(t.TempDir(), "it's locked"), "ed25519", "open sesame")
	s.Authorize(locked.AuthorizedKey())
	t.Setenv("SSH_ASKPASS", loginRow{answer: map[string]string{"": "open sesame"}}.askpass(t, t.TempDir()))
	t.Setenv("DISPLAY", ":none")
	dial := func(ask asking.Asker, known string) error {
		config := filepath.Join(t.TempDir(), "config")
		write(t, config, strings.NewReplacer(s.KnownHosts, known, "StrictHostKeyChecking yes", "StrictHostKeyChecking ask").Replace(hostBlock(s, "host"))+alone+" IdentityFile \""+locked.File+"\"\n")
		r, err := Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: config, Transport: tunnelfile.TransportOpenSSH}, ask)
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Dial(t.Context())
		if err == nil {
			l.Close()
			mastersEnd(t)
		}
		return err
	}
	if err := dial(nil, s.KnownHosts); fault.As(err) == nil || fault.As(err).Class() != fault.ClassDenied {
		t.Errorf("nobody there: %v", err)
	}
	var questions []asking.Question
	answers := []string{"wrong", "open sesame"}
	clumsy := asker{
		ask: func(_ context.Context, q asking.Question) (string, error) {
			questions = append(questions, q)
			return answers[min(len(questions), len(answers))-1], nil
		},
		confirm: func(_ context.Context, q asking.Question) (bool, error) {
			questions = append(questions, q)
			return true, nil
		},
	}
	if err := dial(clumsy, s.KnownHosts); err != nil || len(questions) != 2 || questions[0].Retry || !questions[1].Retry || questions[0].Kind != asking.KindPassphrase || questions[0].Subject != locked.File {
		t.Errorf("%+v, %v", questions, err)
	}
	questions, answers = nil, []string{"open sesame"}
	if err := dial(clumsy, filepath.Join(t.TempDir(), "known")); err != nil || len(questions) != 2 || questions[0].Kind != asking.KindHostKey || !strings.HasSuffix(questions[0].Prompt, "continue connecting?") {
		t.Errorf("%+v, %v", questions, err)
	}
	nobody := asker{ask: func(context.Context, asking.Question) (string, error) { return "", asking.ErrNobody }}
	if err := dial(nobody, s.KnownHosts); fault.As(err) == nil || fault.As(err).Class() != fault.ClassDenied || !strings.Contains(err.Error(), "needs a passphrase for "+locked.File) {
		t.Errorf("nobody answers: %v", err)
	}
}

// TestAutoChoosesTransport wants auto's choice, and its reason.
func TestAutoChoosesTransport(t *testing.T) {
	testbed.Need(t, "ssh", "ssh-keygen")
	t.Setenv("KRB5CCNAME", "/nonexistent")
	dir := t.TempDir()
	sk := filepath.Join(dir, "sk")
	write(t, sk, securityKey)
	for config, want := range map[string]string{
		"":                             "",
		"GSSAPIAuthentication yes":     "",
		"Compression yes":              "Compression",
		"PKCS11Provider /usr/lib/x.so": "PKCS11Provider",
		"HostbasedAuthentication yes":  "Hostbased",
		"VerifyHostKeyDNS yes":         "VerifyHostKeyDNS",
		"MACs umac-64@openssh.com":     "MACs",
		"IdentityFile " + sk:           "security key",
		"Host x\n ProxyJump j\nHost j\n Compression yes": "ProxyJump j: Compression",
	} {
		file := filepath.Join(dir, "config")
		write(t, file, config+"\n")
		r, err := Resolve(t.Context(), source{Destination: "x", ConfigFile: file}, nil)
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		transport := tunnelfile.TransportNative
		if want != "" {
			transport = tunnelfile.TransportOpenSSH
		}
		if r.Transport != transport || !strings.Contains(r.Reason, want) {
			t.Errorf("%q: %s because %s", config, r.Transport, r.Reason)
		}
	}
}

// TestUsesRunningMaster wants a master of the person's own to be used, and left alone.
func TestUsesRunningMaster(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	config := filepath.Join(dir, "config")
	write(t, config, withKey(s, "host")+" ControlPath "+dir+"/%C\n")
	theirs := exec.Command("ssh", "-F", config, "-M", "-N", "host")
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { theirs.Process.Signal(syscall.SIGTERM); theirs.Wait() }()
	resolve := func() *Resolved {
		r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if r := resolve(); r.Transport != tunnelfile.TransportOpenSSH {
			return fmt.Errorf("%s: %s", r.Transport, r.Reason)
		}
		return nil
	})
	before := s.Logins()
	l, err := resolve().Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	carries(t, l)
	if _, err := l.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("nobody listens there")
	}
	if err := l.Run(t.Context(), "exit 7", io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "7") {
		t.Errorf("exit 7: %v", err)
	}
	l.Close()
	l.Wait()
	if s.Logins() != before {
		t.Error("logged in beside the running master")
	}
	if err := exec.Command("ssh", "-F", config, "-O", "check", "host").Run(); err != nil {
		t.Errorf("the person's master is gone: %v", err)
	}

	// When it ends, the next attempt makes a connection of its own.
	r := resolve()
	if l, err = r.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	theirs.Process.Signal(syscall.SIGTERM)
	within(t, promptly, "Wait", func() {
		if err := l.Wait(); fault.As(err) == nil || !strings.Contains(err.Error(), "the ControlMaster of yours at "+dir) {
			t.Errorf("the person's master has ended: %v", err)
		}
	})
	theirs.Wait()
	if l, err = r.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Info().Transport; got != tunnelfile.TransportNative || s.Logins() != before+1 {
		t.Errorf("went on by %s, with %d logins more", got, s.Logins()-before)
	}
}

// TestOpenSSHFaults breaks the server and ssh itself under the link.
func TestOpenSSHFaults(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	t.Run("server killed", func(t *testing.T) {
		l := dialBy(t, tunnelfile.TransportOpenSSH, s)
		s.KillSessions(syscall.SIGKILL)
		within(t, promptly, "Wait", func() {
			err := l.Wait()
			if err == nil || errors.Is(err, net.ErrClosed) {
				t.Errorf("Wait: %v", err)
			}
			t.Log(err)
		})
	})
	t.Run("ssh killed", func(t *testing.T) {
		l := dialBy(t, tunnelfile.TransportOpenSSH, s)
		for _, m := range masters() {
			syscall.Kill(m.pid, syscall.SIGKILL)
		}
		within(t, promptly, "Wait", func() { t.Log(l.Wait()) })
	})
	t.Run("server stopped", func(t *testing.T) {
		l := dialBy(t, tunnelfile.TransportOpenSSH, s)
		s.KillSessions(syscall.SIGSTOP)
		defer s.KillSessions(syscall.SIGCONT)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		within(t, promptly, "Ping", func() {
			if _, err := l.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		within(t, promptly, "Close", func() { l.Close() })
	})
	t.Run("closed", func(t *testing.T) {
		l := dialBy(t, tunnelfile.TransportOpenSSH, s)
		all := masters()
		if len(all) != 1 {
			t.Fatalf("%d masters", len(all))
		}
		dir := all[0].dir
		l.Close()
		testbed.WaitFor(t, 20*time.Second, func() error {
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s is still there: %v", dir, err)
			}
			return nil
		})
		mastersEnd(t)
	})
}

// aMaster is a ControlMaster that this process runs, and the folder of its socket.
type aMaster struct {
	pid int
	dir string
}

func masters() []aMaster {
	var all []aMaster
	for pid, command := range childCommands() {
		if _, after, found := strings.Cut(command, " ControlPath="); found {
			path, _, _ := strings.Cut(after, " ")
			all = append(all, aMaster{pid, filepath.Dir(path)})
		}
	}
	return all
}

func mastersEnd(t *testing.T) {
	t.Helper()
	testbed.WaitFor(t, 20*time.Second, func() error {
		if n := len(masters()); n > 0 {
			return fmt.Errorf("%d masters run still", n)
		}
		return nil
	})
}

// securityKey is a key file of a security key: only a handle, of no use to anybody.
const securityKey = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAASgAAABpzay1zc2
gtZWQyNTUxOUBvcGVuc3NoLmNvbQAAACDooCbz2F5Fvyjtl3gQJU50uJszDuFO1rFh4h4n
sEENdgAAAARzc2g6AAAAqGt4aaxreGmsAAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY2
9tAAAAIOigJvPYXkW/KO2XeBAlTnS4mzMO4U7WsWHiHiewQQ12AAAABHNzaDoBAAAAQGrc
cAACa47Xy2nFfBgRqVUZj4/tI68Wbit3aVWH9xZnnTa3yP8mKV4GovHaebI0GDhxExckIh
d2PdSvTDwd0mEAAAAAAAAAB2NvbW1lbnQBAg==
-----END OPENSSH PRIVATE KEY-----
`

// TestNothingIsLeftInOwnMaster: when a link ends, be it in the middle of a request, the person's own
// ControlMaster has none of its forwards any more.
func TestNothingIsLeftInOwnMaster(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	socket, config := filepath.Join(dir, "m"), filepath.Join(dir, "config")
	write(t, config, withKey(s, "host")+" ControlPath "+socket+"\n")
	theirs := exec.Command("ssh", "-F", config, "-M", "-N", "host")
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { theirs.Process.Kill(); theirs.Wait() }()
	testbed.WaitFor(t, 10*time.Second, func() error { _, err := os.Stat(socket); return err })
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := r.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	if _, err := l.ListenContext(t.Context(), "tcp", there); err != nil {
		t.Fatal(err)
	}
	l.Close() // and nobody closes the listener
	testbed.WaitFor(t, 10*time.Second, func() error { return testbed.NotListening("tcp", there) })
}
