//go:build testbed

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// checked is what holdfast --json check says.
type checked struct {
	Problems, Hints int
	Machine         []tunnelfile.Finding
	Tunnels         []struct {
		Name     string
		Findings []tunnelfile.Finding
	}
	status int
}

// check runs it for some tunnels, by default all.
func (d *desk) check(names ...string) checked {
	d.Helper()
	out, err := holdfast(append([]string{"--json", "check"}, names...)...)
	c := checked{status: exitStatus(err)}
	if c.status != 0 && c.status != 1 {
		d.Fatal(err)
	}
	if err := json.Unmarshal([]byte(jsonOf(out)), &c); err != nil {
		d.Fatalf("%v:\n%s", err, out)
	}
	if (c.Problems > 0) != (c.status == 1) {
		d.Errorf("exit status %d with %d problems", c.status, c.Problems)
	}
	return c
}

func jsonOf(out string) string { return out[max(strings.IndexByte(out, '{'), 0):] }

// of are the findings about one tunnel, or of the machine where the name is empty.
func (c checked) of(name string) []tunnelfile.Finding {
	if name == "" {
		return c.Machine
	}
	for _, t := range c.Tunnels {
		if t.Name == name {
			return t.Findings
		}
	}
	return nil
}

// wants fails the test unless there is a finding of this kind whose sentence and whose mend
// have the words in them.
func (d *desk) wants(c checked, name, subject string, severity tunnelfile.Severity, words, mend string) {
	d.Helper()
	for _, f := range c.of(name) {
		if f.Subject == subject && f.Severity == severity && strings.Contains(f.Message, words) && strings.Contains(f.Mend, mend) {
			return
		}
	}
	text, _ := json.MarshalIndent(c.of(name), "", "  ")
	d.Errorf("%s: no %s about %s with %q and the mend %q in\n%s", name, severity, subject, words, mend, text)
}

// only fails the test where there are problems about anything else than the subjects.
func (d *desk) only(c checked, name string, subjects ...string) {
	d.Helper()
	for _, f := range c.of(name) {
		if f.Severity == tunnelfile.Trouble && !slices.Contains(subjects, f.Subject) {
			d.Errorf("%s: problem that is none: %s: %s", name, f.Subject, f.Message)
		}
	}
}

// TestCheckAllWell: with all well it says so, and fails not; a tunnel that is up is not
// disturbed, and the server sees one login more.
func TestCheckAllWell(t *testing.T) {
	d := newDesk(t)
	s, local := d.echoTunnel(t, "well", "Transport=openssh\nRemoteForward="+fmt.Sprint(testbed.FreePort(t))+" "+testbed.Echo(t, "tcp", "127.0.0.1:0").String()+"\n")
	d.enableDaemon()
	d.holdfast("up", "well")
	conn := dial(t, local)
	defer conn.Close()
	worker, attempts, logins := mainPID(t, tunnelfile.ServiceName("well")), s.Attempts(), s.Logins()
	out, err := holdfast("check")
	t.Logf("check:\n%s", out)
	// There is no network in the box, and the server does not ask after its clients.
	if err != nil || !strings.Contains(out, "No problem, 2 hints.") {
		t.Errorf("%v", err)
	}
	if s.Attempts() != attempts+1 || s.Logins() != logins+1 {
		t.Errorf("%d connections, %d logins", s.Attempts()-attempts, s.Logins()-logins)
	}
	if mainPID(t, tunnelfile.ServiceName("well")) != worker {
		t.Error("another worker")
	}
	testbed.CheckEcho(t, conn, 1<<20, 20*time.Second)
	c := d.check()
	d.wants(c, "", tunnelfile.SubjectLinger, tunnelfile.FindingOK, "outlive a logout", "")
	d.wants(c, "", tunnelfile.SubjectDaemon, tunnelfile.FindingOK, "starts by itself", "")
	d.wants(c, "", tunnelfile.SubjectSSH, tunnelfile.FindingOK, "OpenSSH_", "")
	d.wants(c, "", tunnelfile.SubjectNetwork, tunnelfile.Hint, "the network is offline", "nmcli device status")
	d.wants(c, "well", tunnelfile.SubjectKeyExchange, tunnelfile.FindingOK, "post-quantum", "")
	d.wants(c, "well", tunnelfile.SubjectKeepalive, tunnelfile.Hint, "did not ask within 3", "ClientAliveInterval 15")
	d.wants(c, "well", tunnelfile.SubjectListen, tunnelfile.FindingOK, "the tunnel listens", "")
	d.wants(c, "well", tunnelfile.SubjectTarget, tunnelfile.FindingOK, "takes connections", "")
	d.wants(c, "well", tunnelfile.SubjectRemote, tunnelfile.FindingOK, "the server listens for the tunnel", "")
	d.wants(c, "well", tunnelfile.SubjectState, tunnelfile.FindingOK, "it is up", "")

	// A tunnel that does not run: what it would need is free, here and there.
	d.holdfast("down", "well")
	c = d.check("well")
	d.wants(c, "well", tunnelfile.SubjectListen, tunnelfile.FindingOK, "free to listen on", "")
	d.wants(c, "well", tunnelfile.SubjectRemote, tunnelfile.FindingOK, "would listen", "")
	d.wants(c, "well", tunnelfile.SubjectState, tunnelfile.Hint, "was stopped", "holdfast up well")
	if len(c.Machine) != 1 || c.Machine[0].Subject != tunnelfile.SubjectNetwork {
		t.Errorf("of the machine, where all is well: %+v", c.Machine)
	}
	if _, err := holdfast("check", "nosuch"); exitStatus(err) != 3 {
		t.Errorf("a tunnel that is not there: %v", err)
	}
}

// enableDaemon makes the daemon start by itself, for the time of the test.
func (d *desk) enableDaemon() {
	d.Helper()
	if _, err := as("systemctl", "--user", "enable", "--now", "holdfastd"); err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { as("systemctl", "--user", "disable", "holdfastd") })
}

// TestCheckServer: what a server can have wrong with it.
func TestCheckServer(t *testing.T) {
	d := newDesk(t)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	file := func(name string, s *testbed.Server, lines string) {
		d.alias(name, s)
		d.write(name, "[Tunnel]\nDestination="+name+"\nStart=manual\n"+lines)
	}
	port := func() string { return fmt.Sprint(testbed.FreePort(t)) }

	plain := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"KexAlgorithms curve25519-sha256"}})
	closed, held := port(), testbed.FreePort(t)
	file("plain", plain, "LocalForward="+port()+" "+echo+"\nLocalForward="+port()+" 127.0.0.1:"+closed+"\nRemoteForward="+fmt.Sprint(held)+" "+echo+"\nRemoteForward="+port()+" 127.0.0.1:"+closed+"\nDynamicForward="+port()+"\n")
	other, err := net.Listen("tcp", fmt.Sprintf(":%d", held))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	c := d.check("plain")
	d.wants(c, "plain", tunnelfile.SubjectKeyExchange, tunnelfile.Hint, "curve25519-sha256", "")
	d.wants(c, "plain", tunnelfile.SubjectTarget, tunnelfile.FindingOK, echo+" takes connections", "")
	d.wants(c, "plain", tunnelfile.SubjectTarget, tunnelfile.Trouble, "127.0.0.1:"+closed+" refuses connections, as the server sees it", "nc -vz 127.0.0.1 "+closed)
	d.wants(c, "plain", tunnelfile.SubjectTarget, tunnelfile.Trouble, "127.0.0.1:"+closed+" refuses connections, here", "ss -ltn")
	d.wants(c, "plain", tunnelfile.SubjectTarget, tunnelfile.FindingOK, "the server lets clients connect", "")
	d.wants(c, "plain", tunnelfile.SubjectRemote, tunnelfile.Trouble, fmt.Sprintf("%d: the server refuses: the port is held", held), "ClientAliveInterval 15")
	d.only(c, "plain", tunnelfile.SubjectTarget, tunnelfile.SubjectRemote)
	// sshd is content with ::1 where somebody has 127.0.0.1.
	other.Close()
	half, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", held))
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	d.wants(d.check("plain"), "plain", tunnelfile.SubjectRemote, tunnelfile.Trouble, fmt.Sprintf("somebody else there answers at 127.0.0.1:%d", held), "sudo ss -ltnp")

	forbids := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AllowTcpForwarding no", "AllowStreamLocalForwarding no"}})
	file("forbids", forbids, "LocalForward="+port()+" "+echo+"\nLocalForward="+port()+" /run/some.sock\nRemoteForward="+port()+" "+echo+"\nDynamicForward="+port()+"\n")
	c = d.check("forbids")
	d.wants(c, "forbids", tunnelfile.SubjectTarget, tunnelfile.Trouble, "is not permitted by the server", "AllowTcpForwarding yes")
	d.wants(c, "forbids", tunnelfile.SubjectTarget, tunnelfile.Trouble, "AllowStreamLocalForwarding forbids it", "ls -l /run/some.sock")
	d.wants(c, "forbids", tunnelfile.SubjectTarget, tunnelfile.Trouble, "does not let clients connect anywhere", "PermitOpen")
	d.wants(c, "forbids", tunnelfile.SubjectRemote, tunnelfile.Trouble, "lets nobody make it listen", "AllowTcpForwarding yes")
	d.wants(c, "forbids", tunnelfile.SubjectLogin, tunnelfile.FindingOK, "lets in", "")

	// Host keys.
	d.write("unknown", "[Tunnel]\nDestination=plain\nLocalForward="+port()+" "+echo+"\n[SSH]\nUserKnownHostsFile=/dev/null\n")
	changed := filepath.Join(person.Home, ".ssh/changed_known_hosts")
	d.writeFile(changed, fmt.Sprintf("[%s]:%d %s\n", plain.Host, plain.Port, plain.Identity.AuthorizedKey()))
	d.write("changed", "[Tunnel]\nDestination=plain\nLocalForward="+port()+" "+echo+"\n[SSH]\nUserKnownHostsFile="+changed+"\n")
	// Keys: one that nobody opens, one that the server does not know, one that others can read.
	locked := testbed.NewKey(t, filepath.Join(testbed.SocketDir(t), "locked"), "ed25519", "open sesame")
	plain.Authorize(locked.AuthorizedKey())
	stranger := testbed.NewKey(t, filepath.Join(testbed.SocketDir(t), "stranger"), "ed25519", "")
	d.write("locked", "[Tunnel]\nDestination="+plain.Destination()+"\nStart=manual\nLocalForward="+port()+" "+echo+"\n[SSH]\nIdentityFile="+locked.File+"\nIdentitiesOnly=yes\nUserKnownHostsFile="+plain.KnownHosts+"\n")
	d.write("stranger", "[Tunnel]\nDestination="+plain.Destination()+"\nStart=manual\nLocalForward="+port()+" "+echo+"\n[SSH]\nIdentityFile="+stranger.File+"\nIdentitiesOnly=yes\nUserKnownHostsFile="+plain.KnownHosts+"\n")
	c = d.check("unknown", "changed", "locked", "stranger")
	d.wants(c, "unknown", tunnelfile.SubjectHostKey, tunnelfile.Trouble, "is not known", "holdfast trust unknown")
	d.wants(c, "changed", tunnelfile.SubjectHostKey, tunnelfile.Trouble, "has changed: ", "holdfast trust changed")
	d.wants(c, "locked", tunnelfile.SubjectLogin, tunnelfile.Trouble, "needs a passphrase for", "ssh-add "+locked.File)
	d.wants(c, "locked", tunnelfile.SubjectKey, tunnelfile.Hint, "takes a passphrase, and no agent holds it", "ssh-add")
	// Until a credential gives it.
	d.writeFile(filepath.Join(person.Home, ".credentials", "locked"), "open sesame\n")
	d.holdfast("set", "locked", "Service.LoadCredential=passphrase.locked:"+filepath.Join(person.Home, ".credentials", "locked"))
	given := d.check("locked")
	d.wants(given, "locked", tunnelfile.SubjectKey, tunnelfile.FindingOK, "takes a passphrase, which a credential or the keyring has", "")
	d.wants(given, "locked", tunnelfile.SubjectLogin, tunnelfile.FindingOK, "it lets in", "")
	d.wants(c, "stranger", tunnelfile.SubjectLogin, tunnelfile.Trouble, "refused every way to log in", fmt.Sprintf("ssh-copy-id -p %d", plain.Port))
	if err := os.Chmod(stranger.File, 0o644); err != nil {
		t.Fatal(err)
	}
	d.wants(d.check("stranger"), "stranger", tunnelfile.SubjectKey, tunnelfile.Trouble, "may be read by others", "chmod 600 "+stranger.File)

	// A server that is not there, and a name that is none.
	plain.Stop()
	d.wants(d.check("plain"), "plain", tunnelfile.SubjectPort, tunnelfile.Trouble, "connection refused", "systemctl enable --now ssh")
	d.write("nowhere", "[Tunnel]\nDestination=me@no-such-host.invalid\nStart=manual\nRemoteForward="+port()+" "+echo+"\n")
	d.wants(d.check("nowhere"), "nowhere", tunnelfile.SubjectAddress, tunnelfile.Trouble, "no-such-host.invalid", "getent ahosts no-such-host.invalid")
}

// TestCheckHere: what can be wrong on this side.
func TestCheckHere(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", s)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	d.write("taken", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:"+port+" "+echo+"\n")
	d.write("root", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:81 "+echo+"\n")
	d.write("service", "[Tunnel]\nDestination=server\nStart=manual\nLocalForward="+fmt.Sprint(testbed.FreePort(t))+" "+echo+"\n[Service]\nRestart=no\n")
	d.write("broken", "[Tunnel]\nDestination=server\nStrat=auto\n")
	d.write("loose", "[Tunnel]\nDestination=server\n[SSH]\nServerAliveInterval=0\nExitOnForwardFailure=no\nConnectTimeout=0\nStrictHostKeyChecking=no\nCiphers=3des-cbc,aes128-ctr\n")
	c := d.check()
	d.wants(c, "", tunnelfile.SubjectDaemon, tunnelfile.Trouble, "does not start by itself", "systemctl --user enable --now holdfastd")
	d.wants(c, "taken", tunnelfile.SubjectListen, tunnelfile.Trouble, fmt.Sprintf("pid %d", os.Getpid()), fmt.Sprintf("systemctl status %d", os.Getpid()))
	d.wants(c, "taken", tunnelfile.SubjectLogin, tunnelfile.FindingOK, "lets in", "")
	d.wants(c, "root", tunnelfile.SubjectListen, tunnelfile.Trouble, "permission denied", "net.ipv4.ip_unprivileged_port_start=81")
	d.wants(c, "service", tunnelfile.SubjectFile, tunnelfile.Trouble, "service.tunnel:6: Restart: cannot be set here", "holdfast edit service")
	d.wants(c, "broken", tunnelfile.SubjectFile, tunnelfile.Trouble, "broken.tunnel:3: Strat: is not a key of [Tunnel] (did you mean Start?)", "holdfast edit broken")
	for _, hint := range []string{"ServerAliveInterval=0", "ExitOnForwardFailure=no", "ConnectTimeout=none", "StrictHostKeyChecking=no", "there is no forward"} {
		d.wants(c, "loose", tunnelfile.SubjectSettings, tunnelfile.Hint, hint, "holdfast set loose ")
	}
	d.wants(c, "loose", tunnelfile.SubjectAlgorithms, tunnelfile.Hint, "loose.tunnel:8) allows 3des-cbc", "")

	// The mends of hints are commands that mend.
	for _, f := range c.of("loose") {
		if f.Subject == tunnelfile.SubjectSettings && strings.HasPrefix(f.Mend, "holdfast set") {
			if _, err := as("sh", "-c", f.Mend); err != nil {
				t.Error(err)
			}
		}
	}
	for _, f := range d.check("loose").of("loose") {
		if f.Subject == tunnelfile.SubjectSettings && f.Severity != tunnelfile.FindingOK {
			t.Errorf("after its mend: %s", f.Message)
		}
	}

	// The units' agent, not the terminal's.
	agent := testbed.Agent(t, s.Identity)
	out, _ := as("env", "SSH_AUTH_SOCK="+agent.Socket, "holdfast", "check", "taken")
	t.Logf("check taken:\n%s", out)
	if !strings.Contains(out, "mend: systemctl --user import-environment SSH_AUTH_SOCK") || strings.Contains(out, "the agent at "+agent.Socket) {
		t.Error("it does not tell the terminal's agent from that of the units")
	}
	if _, err := as("systemctl", "--user", "set-environment", "SSH_AUTH_SOCK="+agent.Socket); err != nil {
		t.Fatal(err)
	}
	defer as("systemctl", "--user", "unset-environment", "SSH_AUTH_SOCK")
	d.wants(d.check("taken"), "taken", tunnelfile.SubjectAgent, tunnelfile.FindingOK, "the agent at "+agent.Socket+" holds 1 key", "")
	agent.Stop()
	d.wants(d.check("taken"), "taken", tunnelfile.SubjectAgent, tunnelfile.Hint, "nobody answers at "+agent.Socket, "unset-environment")
}
