package hostile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// trial is one attack on one transport.
type trial struct {
	*testing.T
	attack    attack
	transport tunnelfile.Transport
	server    *Server
	beside    *beside

	dir   string
	known string   // its known_hosts
	lines []string // of the tunnel file
	local string   // address of its local forward
	w     *worker
	sent  bool // dials are under way
}

// result is what a trial showed: a line of the table.
type result struct {
	attack    string
	transport tunnelfile.Transport
	tries     int
	crashed   int
	lost      int
	letIn     int
	memory    int // KiB
}

const (
	trialTime   = 90 * time.Second
	memoryLimit = 64 << 10 // KiB
	lineLimit   = 2 << 10
	logLimit    = 64 << 10 // for each session
)

func (a attack) run(t *testing.T, transport tunnelfile.Transport, b *beside) result {
	x := &trial{T: t, attack: a, transport: transport, beside: b, server: Listen(t), dir: t.TempDir()}
	x.server.Play = a.play
	x.server.Granted = a.granted
	x.known = filepath.Join(x.dir, "known_hosts")
	x.appendKnown(x.server.KnownHost())
	x.appendKnown(b.knownHosts)
	x.local = fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	x.lines = append([]string{"LocalForward=" + x.local + " localhost:7", "RetryMax=1s", "Transport=" + string(transport)}, a.tunnel...)
	if a.prepare != nil {
		a.prepare(x)
	}
	before := x.knownLines()
	x.server.Serve()
	x.w = startWorker(t, x.file(), b.agent.Socket)

	r := result{attack: a.name, transport: transport}
	x.awaitPlays()
	x.afterwards()
	if a.check != nil && !t.Failed() {
		a.check(x)
	}
	r.tries = int(x.server.plays.Load())
	r.crashed = x.crashes()
	r.letIn = x.lettings(before)
	r.lost = x.losses(before)
	r.memory = x.w.memory()
	if r.memory > memoryLimit {
		t.Errorf("it took %d KiB, more than %d", r.memory, memoryLimit)
	}
	x.w.end()
	x.sayings()
	if t.Failed() {
		t.Logf("the server: %q", x.server.Notes())
		t.Logf("the worker, %s:\n%s", x.w.status(), text.BoundBytes(x.w.Log(), 8<<10))
	}
	return r
}

// file is the tunnel file.
func (x *trial) file() string {
	var b strings.Builder
	b.WriteString("[Tunnel]\nDestination=me@127.0.0.1\n")
	ssh := []string{
		fmt.Sprintf("Port=%d", x.server.Port), "UserKnownHostsFile=" + x.known, "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes",
		"IdentityFile=" + x.beside.identity.File, "IdentitiesOnly=yes",
	}
	for _, line := range x.lines {
		if setting, ok := strings.CutPrefix(line, "SSH:"); ok {
			ssh = append(ssh, setting)
		} else {
			b.WriteString(line + "\n")
		}
	}
	return b.String() + "[SSH]\n" + strings.Join(ssh, "\n") + "\n"
}

// awaitPlays waits until the attack was played as often as it is to be. The worker is told at
// times that the network may have changed, so that it does not wait between two tries.
func (x *trial) awaitPlays() {
	want := max(1, x.attack.tries)
	x.within(trialTime, func() error {
		if x.attack.dials > 0 && !x.sent && x.server.logins.Load() > 0 {
			x.sent = true
			x.dial(x.attack.dials)
		}
		if got := int(x.server.plays.Load()); got < want && !x.w.ended() {
			if strings.HasPrefix(x.w.status(), string(tunnelfile.Retrying)) {
				x.w.retry()
			}
			return fmt.Errorf("%d of %d sessions are over: %q", got, want, x.server.Notes())
		}
		return nil
	})
}

// afterwards is what must be so when the attack is over.
func (x *trial) afterwards() {
	// What became of the session is said once the next one is due.
	x.within(30*time.Second, func() error {
		if s := x.w.status(); s == "" || strings.HasPrefix(s, string(tunnelfile.Connecting)) && x.server.live() == 0 {
			return errors.New("nothing is said of it yet")
		}
		return nil
	})
	a := x.attack
	switch {
	case a.blocked != "":
		blocked := regexp.MustCompile(a.blocked)
		x.within(10*time.Second, func() error {
			if !blocked.MatchString(x.w.status()) {
				return fmt.Errorf("it is not blocked: %s", x.w.status())
			}
			return nil
		})
	case a.up:
		if err := x.echo(); err != nil {
			x.Errorf("the link does not carry data: %v", err)
		}
	}
	if a.says != "" {
		says := regexp.MustCompile(a.says)
		x.within(10*time.Second, func() error {
			if all := x.w.status() + "\n" + x.w.Log(); !says.MatchString(all) {
				return fmt.Errorf("neither status nor log says %s", a.says)
			}
			return nil
		})
	}
	if a.blocked == "" && strings.Contains(x.w.notified(), "blocked [") {
		x.Errorf("it was blocked, and nobody who may has said so:\n%s", x.w.notified())
	}
}

// echo sends something through the local forward, which the server echoes.
func (x *trial) echo() error {
	return testbed.EchoAt(x.local, 10_000, trialTime)
}

// dial makes connections to the local forward, which send a little and stay.
func (x *trial) dial(n int) {
	for range n {
		conn, err := net.DialTimeout("tcp", x.local, 10*time.Second)
		if err != nil {
			return // the attack may be over by now
		}
		x.Cleanup(func() { conn.Close() })
		go func() {
			conn.Write(make([]byte, 1<<16))
			io.Copy(io.Discard, conn)
		}()
	}
}

// crashes counts ends of the worker that nobody meant.
func (x *trial) crashes() int {
	n := 0
	for _, sign := range []string{"panic:", "fatal error:", "DATA RACE", "SIGSEGV"} {
		n += strings.Count(x.w.Log(), sign)
	}
	if x.w.ended() && n == 0 {
		n++
	}
	if n > 0 {
		x.Errorf("it crashed, or ended with %d", x.w.exitStatus())
	}
	return n
}

// lettings counts what the server got and must not have.
func (x *trial) lettings(before []string) int {
	n, what := x.server.LetIn()
	if got := x.server.secrets.Load(); got > x.attack.secrets {
		n += int(got)
		what = append(what, fmt.Sprintf("%d passwords", got))
	}
	if more := len(x.knownLines()) - len(before); more > x.attack.keys {
		n += more - x.attack.keys
		what = append(what, fmt.Sprintf("%d lines of known_hosts, and at most %d may be", more, x.attack.keys))
	}
	if n > 0 {
		x.Errorf("let in: %s", strings.Join(what, ", "))
	}
	return n
}

// losses counts what others lost: lines of known_hosts, and the tunnel beside.
func (x *trial) losses(before []string) int {
	n := 0
	now := x.knownLines()
	for _, line := range before {
		if !slices.Contains(now, line) {
			n++
			x.Errorf("known_hosts lost a line: %s", text.FromPeer(line))
		}
	}
	if err := x.beside.well(); err != nil {
		n++
		x.Errorf("the tunnel beside: %v", err)
	}
	if len(now) != len(before) {
		if err := x.beside.login(x.T, x.known, x.transport); err != nil {
			n++
			x.Errorf("a tunnel to another server, with the same known_hosts: %v", err)
		}
	}
	return n
}

// sayings checks what holds of everything that was said.
func (x *trial) sayings() {
	log := x.w.Log()
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > lineLimit {
			x.Errorf("a line of %d bytes in the log: %s", len(line), text.Bound(line, 200))
			break
		}
		if text.Printable(line) != line {
			x.Errorf("a line that steers terminals: %q", text.Bound(line, 300))
			break
		}
	}
	if limit := logLimit * max(1, int(x.server.plays.Load())); len(log) > limit {
		x.Errorf("%d bytes of log, more than %d", len(log), limit)
	}
	if n := x.w.longest(); n > 4096 {
		x.Errorf("a notification of %d bytes, which systemd drops", n)
	}
}

// within waits for a condition, and goes on without it once the time is over.
func (x *trial) within(d time.Duration, condition func() error) {
	x.Helper()
	end := time.Now().Add(d)
	for err := condition(); err != nil; err = condition() {
		if time.Now().After(end) {
			x.Errorf("not within %v: %v", d, err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (x *trial) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *trial) appendKnown(lines string) {
	x.Helper()
	f, err := os.OpenFile(x.known, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	x.must(err)
	defer f.Close()
	_, err = f.WriteString(lines)
	x.must(err)
}

func (x *trial) knownLines() []string {
	b, err := os.ReadFile(x.known)
	x.must(err)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func (x *trial) newKey(name, kind string) testbed.Key {
	return testbed.NewKey(x, filepath.Join(x.dir, name), kind, "")
}

// certificate is a host certificate of about so many bytes.
func (x *trial) certificate(key testbed.Key, size int) ssh.Signer {
	authority := signer(x.newKey("authority", "ed25519"))
	cert := &ssh.Certificate{
		Key: key.Public, CertType: ssh.HostCert, KeyId: strings.Repeat("k", size),
		ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity,
	}
	x.must(cert.SignCert(rand.Reader, authority))
	s, err := ssh.NewCertSigner(cert, signer(key))
	x.must(err)
	return s
}

// further gives the server so many more host keys.
func (x *trial) further(n int) {
	for range n {
		x.server.Further = append(x.server.Further, newSigner(x.T))
	}
}

// sink is the address of a listener that takes connections and says nothing.
func (x *trial) sink() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	x.must(err)
	x.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

// unsigned checks that nobody tried to log in.
func (x *trial) unsigned() {
	if n := x.server.signatures.Load() + x.server.secrets.Load() + x.server.logins.Load(); n > 0 {
		x.Errorf("%d signatures and passwords for a server that nobody knows", n)
	}
}

// refused checks that so many channels were answered with no.
func (x *trial) refused(n int) {
	x.within(10*time.Second, func() error {
		if got := x.server.Refusals(); got < n {
			return fmt.Errorf("%d refusals, want %d", got, n)
		}
		return nil
	})
}

// prompts checks what a person was asked: at least so often, at most 32 times, and always with
// whose question it is in front.
func (x *trial) prompts(least int) {
	asked := x.w.prompts()
	if len(asked) < least || len(asked) > 32 {
		x.Errorf("%d questions, want %d to 32", len(asked), least)
	}
	for _, q := range asked {
		if !strings.HasPrefix(q, "(me@127.0.0.1)") {
			x.Errorf("a question that begins with %q", text.Bound(q, 80))
		}
		if len(q) > lineLimit {
			x.Errorf("a question of %d bytes", len(q))
		}
		if flat := strings.ReplaceAll(q, "\n", ""); text.Printable(flat) != flat {
			x.Errorf("a question that steers terminals: %q", text.Bound(q, 200))
		}
	}
}

// trueNames checks that the status tells what was negotiated and not what the server wrote.
func (x *trial) trueNames() {
	r, err := x.w.report()
	x.must(err)
	if want := ssh.FingerprintSHA256(x.server.Key.Public); !strings.Contains(r.HostKey, want) || strings.Contains(r.HostKey, forged) {
		x.Errorf("host key %q, want %s", r.HostKey, want)
	}
	if r.Kex != "curve25519-sha256" || r.Cipher != "aes128-gcm@openssh.com" {
		x.Errorf("negotiated %q and %q", r.Kex, r.Cipher)
	}
}

// stays checks that a condition holds all the time.
func (x *trial) stays(d time.Duration, what string, condition func(tunnelfile.Report) error) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r, err := x.w.report(); err == nil {
			if err := condition(r); err != nil {
				x.Errorf("%s: %v", what, err)
				return
			}
		}
	}
}

func notUp(r tunnelfile.Report) error {
	if r.State == tunnelfile.Up {
		return fmt.Errorf("%s: %s", r.State, r.Status)
	}
	return nil
}

func newSigner(t testing.TB) ssh.Signer {
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "k"), "ed25519", "")
	return signer(key)
}
