package sshlink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A loginRow is one row of the table: it is tried by plain `ssh -N` and by this package with
// the same ssh_config file, and both must end the same way.
type loginRow struct {
	name      string
	to        string // destination; empty: "host"
	config    string // ssh_config(5); DIR stands for a folder of this try's own
	files     map[string]string
	answer    map[string]string // what a person says to a prompt that holds the key; nil: nobody is there
	want      outcome
	transport tunnelfile.Transport // empty: native
	via       tunnelfile.Transport // what auto is to choose; empty: not looked at
	why       string               // a part of its reason
	says      string               // a part of our message, where one is worth holding to
	reason    fault.Reason         // the same as a word; empty: not looked at
}

// outcome is how a login ends.
type outcome string

const (
	in           outcome = "in"
	refused      outcome = "permission denied"
	tooMany      outcome = "too many authentication failures"
	unknownKey   outcome = "host key unknown"
	changedKey   outcome = "host key changed"
	revokedKey   outcome = "host key revoked"
	noCommon     outcome = "no common algorithm"
	unreachable  outcome = "not reachable"
	misspelt     outcome = "configuration"
	noOutcome    outcome = "?"
	badSignature outcome = "host certificate not valid"
	weakKey      outcome = "host key too short"
)

// sshOutcomes are ssh's words for them; the first that matches counts.
var sshOutcomes = []struct {
	outcome outcome
	words   *regexp.Regexp
}{
	{changedKey, regexp.MustCompile(`REMOTE HOST IDENTIFICATION HAS CHANGED`)},
	{revokedKey, regexp.MustCompile(`REVOKED HOST KEY|is revoked|revoked by file`)},
	{weakKey, regexp.MustCompile(`Bad server host key: Invalid key length`)},
	{badSignature, regexp.MustCompile(`Certificate invalid|Certificate signed with disallowed|name is not a listed principal`)},
	{unknownKey, regexp.MustCompile(`Host key verification failed|host key is known for`)},
	{tooMany, regexp.MustCompile(`Too many authentication failures`)},
	{refused, regexp.MustCompile(`Permission denied`)},
	{noCommon, regexp.MustCompile(`Unable to negotiate|no matching`)},
	{unreachable, regexp.MustCompile(`Connection refused|Could not resolve|timed out|Connection closed|No route|Network is unreachable|Cannot assign|Address family|open failed|exchange_identification|banner exchange: Connection to \S+ port|did not pass back|port \d+: failure|KnownHostsCommand failed`)},
	{misspelt, regexp.MustCompile(`Bad |missing|unsupported|invalid`)},
}

// tryPlain runs ssh -N, with a forward so that it is seen to be in.
func (l loginRow) tryPlain(t *testing.T) (outcome, string) {
	t.Helper()
	dir := testbed.SocketDir(t)
	config := l.write(t, dir)
	socket := filepath.Join(dir, "in")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", "-F", config, "-N", "-o", "ExitOnForwardFailure=yes", "-o", "ConnectTimeout=10",
		"-L", socket+":/nonexistent", "--", l.destination())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask on
	cmd.Env = append(os.Environ(), "SSH_ASKPASS_REQUIRE=never")
	if l.answer != nil {
		cmd.Env = append(os.Environ(), "SSH_ASKPASS="+l.askpass(t, dir), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none")
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	defer func() { cmd.Process.Signal(syscall.SIGTERM); <-ended }()
	for {
		if _, err := os.Stat(socket); err == nil {
			return in, ""
		}
		select {
		case <-ended:
			for _, o := range sshOutcomes {
				if o.words.MatchString(stderr.String()) {
					return o.outcome, stderr.String()
				}
			}
			return noOutcome, stderr.String()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// askpass is a program that answers ssh's prompts.
func (l loginRow) askpass(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("#!/bin/sh\ncase \"$1\" in\n")
	for part, reply := range l.answer {
		fmt.Fprintf(&b, "*%s*) echo %s;;\n", tunnelfile.ShellWord(part), tunnelfile.ShellWord(reply))
	}
	b.WriteString("*) exit 1;;\nesac\n")
	path := filepath.Join(dir, "askpass")
	write(t, path, b.String())
	os.Chmod(path, 0o700)
	return path
}

// person is an Asker with the row's answers.
type person map[string]string

func (p person) Ask(_ context.Context, q asking.Question) ([]byte, error) {
	for part, reply := range p {
		if strings.Contains(q.Prompt, part) {
			return []byte(reply), nil
		}
	}
	return nil, errors.New("no answer to " + q.Prompt)
}

func (p person) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	reply, err := p.Ask(ctx, q)
	return string(reply) == "yes", err
}

// tryOurs logs in by this package.
func (l loginRow) tryOurs(t *testing.T) (outcome, error) {
	t.Helper()
	dir := testbed.SocketDir(t)
	c := source{Name: "web", Destination: l.destination(), ConfigFile: l.write(t, dir), Transport: l.transport}
	if c.Transport == "" {
		c.Transport = tunnelfile.TransportNative
	}
	var ask asking.Asker
	if l.answer != nil {
		ask = person(l.answer)
	}
	if testing.Verbose() {
		c.Log = testLogger(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := Resolve(ctx, c, ask)
	if err != nil {
		return outcomeOf(err), err
	}
	if l.via != "" && (r.Transport != l.via || !strings.Contains(r.Reason, l.why)) {
		t.Errorf("transport %s because %s, want %s because %s", r.Transport, r.Reason, l.via, l.why)
	}
	link, err := r.Dial(ctx)
	if err != nil {
		return outcomeOf(err), err
	}
	defer link.Close()
	if _, err := link.Ping(ctx); err != nil {
		return noOutcome, err
	}
	return in, nil
}

func outcomeOf(err error) outcome {
	if err == nil || fault.As(err) == nil {
		return noOutcome
	}
	switch text := err.Error(); fault.ReasonOf(err) {
	case fault.HostKeyChanged:
		return changedKey
	case fault.HostKeyRevoked:
		return revokedKey
	case fault.HostKeyUnknown:
		switch {
		case strings.Contains(text, "RequiredRSASize"):
			return weakKey
		case strings.Contains(text, "certificate is"):
			return badSignature
		}
		return unknownKey
	case fault.Settings:
		if errors.Is(err, login.ErrNoCommon) {
			return noCommon
		}
		return misspelt
	case fault.Unreachable, fault.TurnedAway:
		return unreachable
	default: // a person was needed, or every way was refused
		if strings.Contains(text, "MaxAuthTries") {
			return tooMany
		}
		return refused
	}
}

func (l loginRow) destination() string {
	if l.to == "" {
		return "host"
	}
	return l.to
}

// write puts the row's files into a folder and returns the path of the ssh_config file.
func (l loginRow) write(t *testing.T, dir string) string {
	t.Helper()
	for name, text := range l.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, strings.ReplaceAll(text, "DIR", dir))
	}
	path := filepath.Join(dir, "config")
	write(t, path, strings.ReplaceAll(l.config, "DIR", dir))
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tryBoth runs the rows.
func tryBoth(t *testing.T, logins []loginRow) {
	t.Helper()
	for _, l := range logins {
		t.Run(strings.ReplaceAll(l.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			plain, said := l.tryPlain(t)
			ours, err := l.tryOurs(t)
			if plain != ours {
				t.Errorf("ssh: %s; holdfast: %s\nssh said: %s\nholdfast said: %v", plain, ours, said, err)
			}
			if l.want != "" && plain != l.want {
				t.Errorf("ssh: %s, the row expects %s; it said: %s", plain, l.want, said)
			}
			if l.reason != fault.None && fault.ReasonOf(err) != l.reason {
				t.Errorf("reason %q, want %q", fault.ReasonOf(err), l.reason)
			}
			if l.says != "" && (err == nil || !strings.Contains(err.Error(), l.says)) {
				t.Errorf("said %v, want %q in it", err, l.says)
			}
			if err != nil {
				t.Logf("said: %v", err)
			}
		})
	}
}

// hostBlock is a Host block to reach a testbed's server, with its host key known but without
// an identity.
func hostBlock(s *testbed.Server, name string) string {
	return fmt.Sprintf("Host %s\n HostName %s\n Port %d\n User %s\n UserKnownHostsFile %s\n GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n",
		name, s.Host, s.Port, s.User, s.KnownHosts)
}

// alone is for the rows that mean one key to be the only one.
const alone = " IdentityAgent none\n IdentitiesOnly yes\n"

func TestLoginsByKey(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := t.TempDir()
	ca := testbed.NewKey(t, filepath.Join(dir, "ca"), "ed25519", "")
	withCA := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"TrustedUserCAKeys " + ca.File + ".pub"}})

	var logins []loginRow
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		clear := testbed.NewKey(t, filepath.Join(dir, kind), kind, "")
		locked := lockedKey(t, filepath.Join(dir, kind+"-locked"), kind, "open sesame")
		held := lockedKey(t, filepath.Join(dir, kind+"-held"), kind, "open sesame")
		signed := testbed.NewKey(t, filepath.Join(dir, kind+"-signed"), kind, "")
		signedLocked := lockedKey(t, filepath.Join(dir, kind+"-signed-locked"), kind, "open sesame")
		bare := lockedKey(t, filepath.Join(dir, kind+"-bare"), kind, "open sesame")
		os.Remove(bare.File + ".pub")
		s.Authorize(clear.AuthorizedKey(), locked.AuthorizedKey(), held.AuthorizedKey(), bare.AuthorizedKey())
		sign(t, ca, signed, s.User)
		sign(t, ca, signedLocked, s.User)
		agent := testbed.Agent(t, held)
		certAgent := sshAdd(t, signed.File)
		keyAgent := testbed.Agent(t, signedLocked)

		host, caHost := hostBlock(s, "host"), hostBlock(withCA, "host")
		logins = append(logins,
			loginRow{name: kind + " file", want: in, config: host + alone + " IdentityFile " + clear.File},
			loginRow{name: kind + " locked file", want: in, answer: map[string]string{locked.File: "open sesame"},
				config: host + alone + " IdentityFile " + locked.File},
			loginRow{name: kind + " locked file without public half", want: in, answer: map[string]string{bare.File: "open sesame"},
				config: host + alone + " IdentityFile " + bare.File},
			loginRow{name: kind + " locked file, wrong passphrase", want: refused, answer: map[string]string{locked.File: "wrong"},
				config: host + alone + " IdentityFile " + locked.File, says: "wrong passphrase"},
			loginRow{name: kind + " locked file, nobody there", want: refused,
				config: host + alone + " IdentityFile " + locked.File, says: "needs a passphrase for " + locked.File},
			loginRow{name: kind + " agent", want: in, config: host + " IdentityAgent " + agent.Socket},
			loginRow{name: kind + " locked file and agent", want: in,
				config: host + " IdentitiesOnly yes\n IdentityFile " + held.File + "\n IdentityAgent " + agent.Socket},
			loginRow{name: kind + " public file and agent", want: in,
				config: host + " IdentitiesOnly yes\n IdentityFile " + held.File + ".pub\n IdentityAgent " + agent.Socket},
			loginRow{name: kind + " certificate beside file", want: in, config: caHost + alone + " IdentityFile " + signed.File},
			loginRow{name: kind + " certificate, locked file", want: in, answer: map[string]string{signedLocked.File: "open sesame"},
				config: caHost + alone + " IdentityFile " + signedLocked.File},
			loginRow{name: kind + " certificate in agent", want: in, config: caHost + " IdentityAgent " + certAgent},
			loginRow{name: kind + " CertificateFile, key in agent", want: in,
				config: caHost + " IdentityAgent " + keyAgent.Socket + "\n CertificateFile " + signedLocked.File + "-cert.pub"},
			loginRow{name: kind + " not authorized", want: refused, config: host + alone + " IdentityFile " + signed.File, says: "refused every way"},
		)
	}
	tryBoth(t, logins)
}

// sign makes FILE-cert.pub for a person.
func sign(t testing.TB, ca, key testbed.Key, principal string) {
	t.Helper()
	run(t, "ssh-keygen", "-q", "-s", ca.File, "-I", "test", "-n", principal, key.File+".pub")
}

// sshAdd starts an agent and loads a key file by ssh-add, which takes its certificate along.
func sshAdd(t testing.TB, file string) (socket string) {
	t.Helper()
	testbed.Need(t, "ssh-add")
	a := testbed.Agent(t)
	cmd := exec.Command("ssh-add", "-q", file)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+a.Socket)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %v: %s", err, out)
	}
	return a.Socket
}

func run(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

func TestLoginsByKeySettings(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxAuthTries 2"}})
	dir := t.TempDir()
	t.Setenv("HF_KEYS", dir)
	right := testbed.NewKey(t, filepath.Join(dir, "right"), "ed25519", "")
	rsa := testbed.NewKey(t, filepath.Join(dir, "rsa"), "rsa", "")
	pem := testbed.NewKey(t, filepath.Join(dir, "pem"), "rsa", "")
	run(t, "ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", pem.File)
	lockedPEM := testbed.NewKey(t, filepath.Join(dir, "lockedpem"), "rsa", "")
	run(t, "ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "open sesame", "-f", lockedPEM.File)
	os.Remove(lockedPEM.File + ".pub")
	wide := testbed.NewKey(t, filepath.Join(dir, "wide"), "ed25519", "")
	os.Chmod(wide.File, 0o644)
	os.Remove(wide.File + ".pub")
	spaced := testbed.NewKey(t, filepath.Join(dir, "a key"), "ed25519", "")
	p384 := filepath.Join(dir, "p384")
	run(t, "ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", p384)
	p521 := filepath.Join(dir, "p521")
	run(t, "ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", p521)
	s.Authorize(right.AuthorizedKey(), rsa.AuthorizedKey(), pem.AuthorizedKey(), lockedPEM.AuthorizedKey(), wide.AuthorizedKey(), spaced.AuthorizedKey())
	for _, file := range []string{p384, p521} {
		text, err := os.ReadFile(file + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		s.Authorize(string(text))
	}
	var eight []testbed.Key
	for i := range 7 {
		eight = append(eight, testbed.NewKey(t, filepath.Join(dir, fmt.Sprint("wrong", i)), "ed25519", ""))
	}
	crowded := testbed.Agent(t, append(eight, right)...)
	holder := testbed.Agent(t, right)
	host := hostBlock(s, "host")

	tryBoth(t, []loginRow{
		{name: "eight keys in the agent, two tries", want: tooMany, config: host + " IdentityAgent " + crowded.Socket, says: "MaxAuthTries"},
		{name: "eight keys, the right one named", want: in, config: host + " IdentityAgent " + crowded.Socket + "\n IdentityFile " + right.File},
		{name: "eight keys, IdentitiesOnly", want: in, config: host + " IdentitiesOnly yes\n IdentityAgent " + crowded.Socket + "\n IdentityFile " + right.File},
		{name: "IdentitiesOnly, another key named", want: refused, config: host + " IdentitiesOnly yes\n IdentityAgent " + holder.Socket + "\n IdentityFile " + eight[0].File},
		{name: "IdentityFile none", want: in, config: host + " IdentityFile none\n IdentityAgent " + holder.Socket},
		{name: "IdentityAgent none", want: refused, config: host + " IdentityAgent none\n IdentityFile " + eight[0].File},
		{name: "two identities, the second right", want: in, config: host + alone + " IdentityFile " + eight[0].File + "\n IdentityFile " + right.File},
		{name: "a missing identity before the right one", want: in, config: host + alone + " IdentityFile DIR/missing\n IdentityFile " + right.File},
		{name: "only a missing identity", want: refused, config: host + alone + " IdentityFile DIR/missing", says: "no key to try"},
		{name: "readable by others", want: refused, config: host + alone + " IdentityFile " + wide.File, says: "too open: others may read it"},
		{name: "not a key", want: refused, config: host + alone + " IdentityFile DIR/text", files: map[string]string{"text": "hello\n"}},
		{name: "path with a space", want: in, config: host + alone + " IdentityFile \"" + spaced.File + "\""},
		{name: "tokens in the path", to: "right", want: in, config: hostBlock(s, "right") + alone + " IdentityFile " + dir + "/%n"},
		{name: "environment in the path", want: in, config: host + alone + " IdentityFile ${HF_KEYS}/right"},
		{name: "PEM file", want: in, config: host + alone + " IdentityFile " + pem.File},
		{name: "locked PEM file without public half", want: in, config: host + alone + " IdentityFile " + lockedPEM.File,
			answer: map[string]string{lockedPEM.File: "open sesame"}},
		{name: "locked PEM file, nobody there", want: refused, config: host + alone + " IdentityFile " + lockedPEM.File, says: "needs a passphrase"},
		{name: "ecdsa 384", want: in, config: host + alone + " IdentityFile " + p384},
		{name: "ecdsa 521", want: in, config: host + alone + " IdentityFile " + p521},
		{name: "PubkeyAcceptedAlgorithms without the key's", want: refused, config: host + alone + " PubkeyAcceptedAlgorithms rsa-sha2-256\n IdentityFile " + right.File,
			says: "PubkeyAcceptedAlgorithms does not allow"},
		{name: "PubkeyAcceptedAlgorithms rsa-sha2-256", want: in, config: host + alone + " PubkeyAcceptedAlgorithms rsa-sha2-256\n IdentityFile " + rsa.File},
		{name: "PubkeyAcceptedAlgorithms with minus", want: refused, config: host + alone + " PubkeyAcceptedAlgorithms -ssh-ed25519\n IdentityFile " + right.File},
		{name: "PubkeyAuthentication no", want: refused, config: host + alone + " PubkeyAuthentication no\n IdentityFile " + right.File},
		{name: "PreferredAuthentications password", want: refused, config: host + alone + " PreferredAuthentications password\n IdentityFile " + right.File},
		{name: "RequiredRSASize above the key's", want: refused, config: host + alone + " RequiredRSASize 4096\n IdentityFile " + rsa.File, says: "RequiredRSASize"},
		{name: "wrong user", want: refused, to: "nosuchuser@host", config: host + alone + " IdentityFile " + right.File},
		{name: "GSSAPIAuthentication yes without a ticket", want: in, config: host + alone + " GSSAPIAuthentication yes\n IdentityFile " + right.File},
		{name: "a misspelt keyword", want: misspelt, config: host + " IdentytyFile x", says: "config: line"},
		{name: "a misspelt cipher", want: misspelt, config: host + " Ciphers rot13", says: "rot13"},
	})
}
