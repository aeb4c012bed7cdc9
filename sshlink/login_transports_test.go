package sshlink

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tryOver runs the rows over each of the transports.
func tryOver(t *testing.T, logins []loginRow, by ...tunnelfile.Transport) {
	t.Helper()
	var all []loginRow
	for _, l := range logins {
		for _, transport := range by {
			over := l
			over.name, over.transport = l.name+", "+string(transport), transport
			all = append(all, over)
		}
	}
	tryBoth(t, all)
}

// newKeyFile has ssh-keygen make a key file, and lets it in.
func newKeyFile(t testing.TB, s *testbed.Server, name string, args ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	run(t, append([]string{"ssh-keygen", "-q", "-f", file}, args...)...)
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s.Authorize(string(public))
	return file
}

// TestLoginsOverEachTransport tries what people have in their ssh_config, and what they have it for
// is not tunnels only.
func TestLoginsOverEachTransport(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{HostKeyTypes: []string{"ed25519", "ecdsa", "rsa"}})
	jump := testbed.StartServer(t, testbed.ServerOptions{})
	stranger := testbed.NewKey(t, filepath.Join(t.TempDir(), "stranger"), "ed25519", "")
	locked := newKeyFile(t, s, "locked", "-t", "ed25519", "-N", "open sesame")
	unprompted := newKeyFile(t, s, "unprompted", "-t", "ed25519", "-N", "open sesame")
	wide := newKeyFile(t, s, "wide", "-t", "ed25519", "-N", "")
	os.Chmod(wide, 0o644)
	empty := testbed.Agent(t)
	sesame := map[string]string{"assphrase": "open sesame"}

	host, at := withKey(s, "host"), fmt.Sprintf("[%s]:%d ", s.Host, s.Port)
	known := strings.ReplaceAll(host, s.KnownHosts, "DIR/k")
	strict := func(value string) string {
		return strings.ReplaceAll(known, "StrictHostKeyChecking yes", "StrictHostKeyChecking "+value)
	}
	knows := func(i int) map[string]string {
		return map[string]string{"k": at + s.HostKeys[i].AuthorizedKey() + "\n"}
	}
	changed := map[string]string{"k": at + stranger.AuthorizedKey() + "\n"}
	id := hostBlock(s, "host") + alone + " IdentityFile "
	jumpOf := strings.ReplaceAll(withKey(jump, "jump-host"), " User "+jump.User+"\n", "")
	tryOver(t, []loginRow{
		{name: "known by RSA, HostKeyAlgorithms with plus", want: in, config: known + " HostKeyAlgorithms +ssh-rsa\n", files: knows(2)},
		{name: "known by ECDSA, HostKeyAlgorithms with minus", want: in, config: known + " HostKeyAlgorithms -ssh-rsa\n", files: knows(1)},
		{name: "known by ECDSA, HostKeyAlgorithms with caret", want: changedKey, config: known + " HostKeyAlgorithms ^ssh-ed25519\n", files: knows(1)},
		{name: "known by ECDSA, HostKeyAlgorithms in an order", want: changedKey, config: known + " HostKeyAlgorithms rsa-sha2-512,ecdsa-sha2-nistp256\n", files: knows(1)},
		{name: "changed, checking off", want: changedKey, config: strict("off") + " ExitOnForwardFailure no\n", files: changed},
		{name: "FingerprintHash md5, unknown", want: unknownKey, config: strict("ask") + " FingerprintHash md5\n VisualHostKey yes\n", says: hostkeys.Fingerprint(s.HostKeys[0].Public)},
		{name: "FingerprintHash md5, changed", want: changedKey, config: known + " FingerprintHash md5\n", files: changed, says: hostkeys.Fingerprint(s.HostKeys[0].Public)},
		{name: "FingerprintHash md5, refused", want: refused, config: id + stranger.File + "\n FingerprintHash md5\n", says: "tried " + stranger.File},
		{name: "ProxyJump with tokens", want: in, config: host + " ProxyJump %r@jump-%n\n" + jumpOf},
		{name: "ProxyJump of two with tokens", want: in, config: host + " ProxyJump jump-%n,127.0.0.1-%p\n" + strings.Replace(jumpOf, "jump-host", "jump-host 127.0.0.1-*", 1)},
		{name: "RemoteCommand and RequestTTY", want: in, config: host + " RemoteCommand tmux attach\n RequestTTY force\n"},
		{name: "SessionType subsystem", want: in, config: host + " SessionType subsystem\n RemoteCommand sftp\n"},
		{name: "PermitLocalCommand", want: in, config: host + " PermitLocalCommand yes\n LocalCommand false\n"},
		{name: "ControlMaster, nobody runs one", want: in, config: host + " ControlMaster auto\n ControlPath DIR/%n\n"},
		{name: "ConnectTimeout 0", want: in, config: host + " ConnectTimeout 0\n"},
		{name: "NumberOfPasswordPrompts 0", want: refused, config: id + locked + "\n NumberOfPasswordPrompts 0\n", answer: sesame},
		{name: "NumberOfPasswordPrompts 1", want: in, config: id + locked + "\n NumberOfPasswordPrompts 1\n", answer: sesame},
		{name: "BatchMode, locked key", want: refused, config: id + unprompted + "\n BatchMode yes\n", answer: sesame, says: "needs a passphrase for " + unprompted},
		{name: "readable by others", want: refused, config: id + wide, says: "no key to try; it takes publickey; not tried: " + wide + ": its permissions 0644 are too open"},
		{name: "AddKeysToAgent", want: in, config: hostBlock(s, "host") + " IdentityAgent " + empty.Socket + "\n IdentitiesOnly yes\n AddKeysToAgent ask\n IdentityFile " + locked, answer: sesame},
		{name: "ProxyCommand with quotes", want: in, config: host + " ProxyCommand sh -c 'nc \"%h\" %p' -- \"100%%\" %n \"%r\"\n"},
		{name: "PreferredAuthentications nobody has", want: in, config: host + " PreferredAuthentications telepathy,publickey\n"},
	}, tunnelfile.TransportNative, tunnelfile.TransportOpenSSH)
}

// TestLoginsByCertificateSettings tries servers that count how often a key is offered, and host
// certificates that prove nothing.
func TestLoginsByCertificateSettings(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	dir := t.TempDir()
	ca := testbed.NewKey(t, filepath.Join(dir, "ca"), "ed25519", "")
	rsaCA := testbed.NewKey(t, filepath.Join(dir, "rsaca"), "rsa", "")
	key := testbed.NewKey(t, filepath.Join(dir, "key"), "ed25519", "")
	once := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxAuthTries 1", "TrustedUserCAKeys " + ca.File + ".pub"}})
	sign(t, ca, key, once.User)
	elsewhere := filepath.Join(t.TempDir(), "cert.pub")
	run(t, "cp", key.File+"-cert.pub", elsewhere)

	certified := func(ca testbed.Key, args ...string) string {
		s := testbed.StartServer(t, testbed.ServerOptions{})
		run(t, append(append([]string{"ssh-keygen", "-q", "-s", ca.File, "-I", "host", "-h"}, args...), s.HostKeyFile+".pub")...)
		s.Stop()
		appendFile(t, filepath.Join(s.Dir, "sshd_config"), "HostCertificate "+s.HostKeyFile+"-cert.pub\n")
		s.Start()
		return strings.ReplaceAll(withKey(s, "host"), s.KnownHosts, "DIR/k")
	}
	vouches := func(ca testbed.Key) map[string]string {
		return map[string]string{"k": "@cert-authority * " + ca.AuthorizedKey() + "\n"}
	}
	named, byRSA, bySHA1 := certified(ca, "-n", "127.0.0.1"), certified(rsaCA), certified(rsaCA, "-t", "ssh-rsa")
	id := hostBlock(once, "host") + alone + " IdentityFile " + key.File + "\n"
	tryOver(t, []loginRow{
		{name: "certificate beside the key comes second", want: tooMany, config: id},
		{name: "CertificateFile comes first", want: in, config: id + " CertificateFile " + elsewhere + "\n"},
		{name: "CertificateFile is missing", want: tooMany, config: id + " CertificateFile DIR/missing\n"},
		{name: "CertificateFile none", want: tooMany, config: id + " CertificateFile none\n"},
		{name: "host certificate without principals", want: in, config: byRSA, files: vouches(rsaCA)},
		{name: "host certificate of HostKeyAlias", want: badSignature, config: named + " HostKeyAlias other\n", files: vouches(ca), says: "(its certificate is not valid: "},
		{name: "host certificate, CASignatureAlgorithms without", want: badSignature, config: byRSA + " CASignatureAlgorithms ssh-ed25519\n", files: vouches(rsaCA), says: "CASignatureAlgorithms does not allow"},
		{name: "host certificate by SHA-1", want: badSignature, config: bySHA1, files: vouches(rsaCA), says: "SHA256:"},
		{name: "host certificate by SHA-1, asked for", want: in, config: bySHA1 + " CASignatureAlgorithms +ssh-rsa\n", files: vouches(rsaCA)},
		{name: "host certificate, but HostKeyAlgorithms without", want: unknownKey, config: named + " HostKeyAlgorithms -*cert*\n", files: vouches(ca)},
		{name: "IdentityFile of a variable that is not set", want: misspelt, config: id + " IdentityFile ${HF_NOT_SET}/key\n", says: "IdentityFile ${HF_NOT_SET}/key: the environment here has no HF_NOT_SET"},
	}, tunnelfile.TransportNative, tunnelfile.TransportOpenSSH)
}

// TestForkAfterAuthentication wants a link where ssh -N would leave its terminal, and no ssh that is
// left behind.
func TestForkAfterAuthentication(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		l := loginRow{config: withKey(s, "host") + " ForkAfterAuthentication yes\n", transport: transport}
		if o, err := l.tryOurs(t); o != in {
			t.Errorf("%s: %v", transport, err)
		}
		testbed.WaitFor(t, 20*time.Second, func() error {
			if n := len(s.SessionPIDs()); n > 0 {
				return fmt.Errorf("%s: %d processes serve a connection still", transport, n)
			}
			return nil
		})
	}
}

// TestLoginsByKeyFormat tries key files that x/crypto cannot read and ssh can.
func TestLoginsByKeyFormat(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen", "openssl")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	id := hostBlock(s, "host") + alone + " IdentityFile "
	sesame := map[string]string{"assphrase": "open sesame"}
	const auto, openssh, why = tunnelfile.TransportAuto, tunnelfile.TransportOpenSSH, "in a format that only ssh can read"

	pkcs8 := newKeyFile(t, s, "pkcs8", "-t", "ecdsa", "-m", "PKCS8", "-N", "open sesame")
	bare := newKeyFile(t, s, "bare", "-t", "rsa", "-m", "PKCS8", "-N", "open sesame")
	os.Remove(bare + ".pub")
	clear := newKeyFile(t, s, "clear", "-t", "rsa", "-m", "PKCS8", "-N", "")
	gcm := newKeyFile(t, s, "gcm", "-t", "ed25519", "-Z", "aes256-gcm@openssh.com", "-N", "open sesame")
	cbc := newKeyFile(t, s, "cbc", "-t", "ed25519", "-Z", "aes256-cbc", "-N", "open sesame")
	curve := filepath.Join(t.TempDir(), "curve") // with its parameters before the key
	run(t, "openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", curve)
	os.Chmod(curve, 0o600)
	s.Authorize(run(t, "ssh-keygen", "-y", "-f", curve))
	agent := testbed.Agent(t)
	cmd := exec.Command("ssh-add", "-q", gcm)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+agent.Socket, "SSH_ASKPASS="+loginRow{answer: sesame}.askpass(t, t.TempDir()), "SSH_ASKPASS_REQUIRE=force")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tryBoth(t, []loginRow{
		{name: "PKCS 8, locked", want: in, config: id + pkcs8, answer: sesame, transport: auto, via: openssh, why: why},
		{name: "PKCS 8, locked, without public half", want: in, config: id + bare, answer: sesame, transport: auto, via: openssh, why: why},
		{name: "PKCS 8, locked, nobody there", want: refused, config: id + bare, transport: auto, via: openssh, says: "needs a passphrase for " + bare},
		{name: "PKCS 8", want: in, config: id + clear, transport: auto, via: tunnelfile.TransportNative},
		{name: "aes256-gcm", want: in, config: id + gcm, answer: sesame, transport: auto, via: openssh, why: why},
		{name: "aes256-gcm, wrong passphrase", want: refused, config: id + gcm, answer: map[string]string{gcm: "wrong"}, transport: auto, via: openssh, says: "wrong passphrase for " + gcm},
		{name: "aes256-gcm, in an agent", want: in, config: hostBlock(s, "host") + " IdentitiesOnly yes\n IdentityAgent " + agent.Socket + "\n IdentityFile " + gcm, transport: auto, via: tunnelfile.TransportNative},
		{name: "aes256-cbc", want: in, config: id + cbc, answer: sesame, transport: auto, via: tunnelfile.TransportNative},
		{name: "EC parameters before the key", want: in, config: id + curve, transport: auto, via: openssh, why: why},
	})
	for _, file := range []string{pkcs8, gcm, curve} {
		o, err := loginRow{config: id + file, answer: sesame}.tryOurs(t)
		if o != refused || !strings.Contains(err.Error(), "not tried: "+file+": in a format that only ssh-agent or Transport=openssh can use") {
			t.Errorf("%s, native: %s, %v", filepath.Base(file), o, err)
		}
	}
}

// TestLoginsByTiedKey has keys in an agent that signs with them for some hosts only, of which the
// client must give it a proof.
func TestLoginsByTiedKey(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent", "ssh-add")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	jump := testbed.StartServer(t, testbed.ServerOptions{})
	jump.Authorize(s.Identity.AuthorizedKey())
	known := filepath.Join(t.TempDir(), "known_hosts")
	write(t, known, "here "+s.HostKeys[0].AuthorizedKey()+"\nthere "+jump.HostKeys[0].AuthorizedKey()+"\n")
	tied := func(to ...string) string {
		agent := testbed.Agent(t)
		cmd := exec.Command("ssh-add", "-q", "-H", known)
		for _, constraint := range to {
			cmd.Args = append(cmd.Args, "-h", constraint)
		}
		cmd.Args = append(cmd.Args, s.IdentityFile)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+agent.Socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return " IdentityFile none\n IdentityAgent " + agent.Socket + "\n"
	}
	here, there, both := tied("here"), tied("there"), tied("there", "here")
	tryOver(t, []loginRow{
		{name: "tied to the host", want: in, config: hostBlock(s, "host") + here},
		{name: "tied to another", want: refused, config: hostBlock(s, "host") + there},
		{name: "tied to a jump host", want: in, config: withKey(s, "host") + " ProxyJump jump\n" + hostBlock(jump, "jump") + both},
	}, tunnelfile.TransportAuto)
	o, err := loginRow{config: hostBlock(s, "host") + here}.tryOurs(t)
	if o != refused || !strings.Contains(err.Error(), "did not sign") {
		t.Errorf("native: %s, %v", o, err)
	}
}
