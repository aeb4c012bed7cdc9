package sshlink

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const securityKeyPIN = "4711"

// securityKeyProvider builds the testbed's security key.
func securityKeyProvider(t testing.TB) string {
	t.Helper()
	testbed.Need(t, "ssh-keygen", "go", "gcc")
	path := filepath.Join(t.TempDir(), "securitykey.so")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", path, "../testbed/testdata/securitykey")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the security key does not build: %v\n%s", err, out)
	}
	return path
}

// newSecurityKey makes a key file as a person does, who types the PIN where it is asked for.
func newSecurityKey(t testing.TB, provider, kind string, options ...string) (file, public string) {
	t.Helper()
	dir := testbed.SocketDir(t)
	file = filepath.Join(dir, "id_"+strings.ReplaceAll(kind, "-", "_"))
	args := []string{"-q", "-t", kind, "-w", provider, "-N", "", "-f", file}
	for _, o := range options {
		args = append(args, "-O", o)
	}
	cmd := exec.Command("ssh-keygen", args...)
	typist := filepath.Join(dir, "typist")
	write(t, typist, "#!/bin/sh\necho "+securityKeyPIN+"\n")
	os.Chmod(typist, 0o700)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+typist, "SSH_ASKPASS_REQUIRE=force")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return file, strings.TrimSpace(string(text))
}

// securityAgent is an ssh-agent that holds security keys of the provider.
func securityAgent(t testing.TB, provider string, files ...string) (socket string) {
	t.Helper()
	testbed.Need(t, "ssh-agent", "ssh-add")
	socket = filepath.Join(testbed.SocketDir(t), "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket, "-P", provider)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Process.Kill(); agent.Wait() })
	testbed.WaitFor(t, 10*time.Second, func() error { // the socket is there before it is listened on
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err
	})
	for _, file := range files {
		add := exec.Command("ssh-add", "-q", "-S", provider, file)
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v: %s", err, out)
		}
	}
	return socket
}

func TestLoginsBySecurityKey(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	t.Setenv("HF_SK_PIN", securityKeyPIN)
	provider := securityKeyProvider(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	config := hostBlock(s, "host") + " IdentitiesOnly yes\n SecurityKeyProvider " + provider + "\n"
	var logins []loginRow
	for _, kind := range []string{"ed25519-sk", "ecdsa-sk"} {
		file, public := newSecurityKey(t, provider, kind)
		verified, verifiedPublic := newSecurityKey(t, provider, kind, "verify-required")
		stranger, _ := newSecurityKey(t, provider, kind)
		s.Authorize(public, "verify-required "+verifiedPublic)
		agent := securityAgent(t, provider, file)
		pin := map[string]string{verified: securityKeyPIN}
		alone := config + " IdentityAgent none\n IdentityFile "
		auto := func(l loginRow) loginRow {
			l.name, l.transport = kind+" "+l.name, tunnelfile.TransportAuto
			return l
		}
		const openssh = tunnelfile.TransportOpenSSH
		logins = append(logins,
			auto(loginRow{name: "held by an agent", want: in, config: config + " IdentityAgent " + agent + "\n IdentityFile " + file, via: tunnelfile.TransportNative}),
			auto(loginRow{name: "without an agent", want: in, config: alone + file, via: openssh, why: "security key that no agent holds"}),
			auto(loginRow{name: "not authorized", want: refused, config: alone + stranger, via: openssh}),
			auto(loginRow{name: "with a PIN", want: in, config: alone + verified, answer: pin, via: openssh}),
			auto(loginRow{name: "with a wrong PIN", want: refused, config: alone + verified, answer: map[string]string{verified: "0000"}, via: openssh, says: "was given a wrong PIN for " + verified}),
			auto(loginRow{name: "with a PIN, nobody there", want: refused, config: alone + verified, via: openssh, says: "needs the PIN of " + verified}),
			loginRow{name: kind + " by the native transport, without an agent", config: alone + file, transport: tunnelfile.TransportNative},
		)
	}
	native := logins[len(logins)-1]
	logins = slices.DeleteFunc(logins, func(l loginRow) bool { return l.transport == tunnelfile.TransportNative })
	tryBoth(t, logins)
	if o, err := native.tryOurs(t); o != refused || !strings.Contains(err.Error(), "only ssh-agent or Transport=openssh can use") {
		t.Errorf("%s: %v", o, err)
	}
}

// touchTimeout is the ConnectTimeout of TestTouch. A login on a busy machine may take longer than a second.
const touchTimeout = 3 * time.Second

// toucher is a person who touches the key when told to, and types its PIN.
type toucher struct {
	path string // the file that is the touch

	mu      sync.Mutex
	asked   []asking.Question
	notices []asking.Question
	showing int // notices that are on the screen
}

func (p *toucher) Ask(_ context.Context, q asking.Question) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, q)
	return []byte(securityKeyPIN), nil
}

func (p *toucher) Confirm(context.Context, asking.Question) (bool, error) { return false, nil }

func (p *toucher) Notify(ctx context.Context, q asking.Question) {
	p.mu.Lock()
	p.notices = append(p.notices, q)
	p.showing++
	p.mu.Unlock()
	// Longer than ConnectTimeout: a person may take their time.
	time.AfterFunc(touchTimeout+time.Second, func() { os.WriteFile(p.path, nil, 0o600) })
	<-ctx.Done()
	p.mu.Lock()
	p.showing--
	p.mu.Unlock()
}

// TestTouch wants the person to be told that a security key waits to be touched, for as long as
// it does, and ConnectTimeout not to count meanwhile.
func TestTouch(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	t.Setenv("HF_SK_PIN", securityKeyPIN)
	provider := securityKeyProvider(t)
	file, public := newSecurityKey(t, provider, "ed25519-sk", "verify-required")
	p := &toucher{path: filepath.Join(t.TempDir(), "touch")}
	t.Setenv("HF_SK_TOUCH", p.path)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	s.Authorize("verify-required " + public)
	config := filepath.Join(t.TempDir(), "config")
	write(t, config, hostBlock(s, "host")+alone+fmt.Sprintf(" ConnectTimeout %d\n", int(touchTimeout.Seconds()))+" SecurityKeyProvider "+provider+"\n IdentityFile "+file+"\n")
	r, err := Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: config, Log: testLogger(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := r.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	testbed.WaitFor(t, 20*time.Second, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.showing > 0 {
			return fmt.Errorf("%d notices stay", p.showing)
		}
		return nil
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notices) != 1 || p.notices[0].Kind != asking.KindTouch || !strings.Contains(p.notices[0].Prompt, "Confirm user presence for key ED25519-SK SHA256:") {
		t.Errorf("notices: %+v", p.notices)
	}
	if len(p.asked) != 1 || p.asked[0].Kind != asking.KindPIN || p.asked[0].Subject != file || p.asked[0].Echo {
		t.Errorf("asked: %+v", p.asked)
	}
}
