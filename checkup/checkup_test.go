package checkup

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestMain(m *testing.M) {
	// What the desktop of whoever runs the tests has is none of theirs.
	os.Unsetenv("SSH_AUTH_SOCK")
	os.Unsetenv("XDG_RUNTIME_DIR")
	os.Exit(m.Run())
}

// look checks a tunnel file with this text, and returns the findings as "severity subject:
// message | mend".
func look(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "web.tunnel")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range Tunnel(t.Context(), Options{Path: path, Log: slog.New(slog.DiscardHandler)}) {
		lines = append(lines, string(f.Severity)+" "+f.Subject+": "+f.Message+" | "+f.Mend)
	}
	return lines
}

func wants(t *testing.T, lines []string, severity tunnelfile.Severity, subject, words, mend string) {
	t.Helper()
	if !slices.ContainsFunc(lines, func(l string) bool {
		message, m, _ := strings.Cut(l, " | ")
		return strings.HasPrefix(l, string(severity)+" "+subject+": ") && strings.Contains(message, words) && strings.Contains(m, mend)
	}) {
		t.Errorf("no %s about %s with %q and %q in\n%s", severity, subject, words, mend, strings.Join(lines, "\n"))
	}
}

func fileFor(s *testbed.Server, lines string, ssh ...string) string {
	return "[Tunnel]\nDestination=" + s.Destination() + "\n" + lines + "[SSH]\n" + strings.Join(append(s.SSHSettings(), ssh...), "\n") + "\n"
}

// TestPostQuantumMend: the mend depends on who is in the way.
func TestPostQuantumMend(t *testing.T) {
	testbed.Need(t, "ssh")
	path := filepath.Join(t.TempDir(), "web.tunnel")
	for _, c := range []struct {
		version   string
		transport tunnelfile.Transport
		ssh       string
		mend      string
	}{
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2", tunnelfile.TransportNative, "", "holdfast set web Transport=openssh"},
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2", tunnelfile.TransportOpenSSH, "", "apt upgrade"},
		{"SSH-2.0-OpenSSH_8.9p1", tunnelfile.TransportNative, "", "apt upgrade"},
		{"SSH-2.0-OpenSSH_10.0", tunnelfile.TransportNative, "", "sshd -T"},
		{"SSH-2.0-dropbear_2022.83", tunnelfile.TransportNative, "", "apt upgrade"},
		{"SSH-2.0-OpenSSH_10.0", tunnelfile.TransportNative, "KexAlgorithms=curve25519-sha256", "holdfast explain web"},
	} {
		x := &examination{ctx: t.Context(), o: Options{Path: path}}
		if err := os.WriteFile(path, []byte("[Tunnel]\nDestination=localhost\n[SSH]\n"+c.ssh+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if !x.file() || !x.resolve() {
			t.Fatal(x.Findings)
		}
		mend, why := x.postQuantumMend(wire.Info{ServerVersion: c.version, Transport: c.transport})
		if !strings.Contains(mend, c.mend) || why == "" {
			t.Errorf("%s by %s, %q: %q, %q", c.version, c.transport, c.ssh, mend, why)
		}
	}
}

// TestWeak: what was agreed on, and who allowed it.
func TestWeak(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"Ciphers aes128-cbc", "MACs hmac-sha1"}})
	lines := look(t, fileFor(s, "RemoteForward=0 localhost:1\n", "Ciphers=aes128-cbc", "MACs=hmac-sha1"))
	wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectAlgorithms, "aes128-cbc was agreed on, which is weak", "")
	wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectAlgorithms, "hmac-sha1 was agreed on, which is weak", "")
	wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectAlgorithms, "web.tunnel:12) allows aes128-cbc", "")
}

// TestFiles: who else may write, and which unix sockets cannot be made.
func TestFiles(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	plain, alive := filepath.Join(dir, "file"), filepath.Join(dir, "alive")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	echo := testbed.Echo(t, "unix", alive).String()
	lines := look(t, fileFor(s, "LocalForward="+plain+" "+echo+"\nLocalForward="+alive+" "+echo+"\nLocalForward="+dir+"/free "+echo+"\nRemoteForward="+dir+"/remote "+echo+"\n"))
	wants(t, lines, tunnelfile.Trouble, tunnelfile.SubjectListen, "a file that is not a socket is in the way", "holdfast edit web")
	wants(t, lines, tunnelfile.Trouble, tunnelfile.SubjectListen, "address already in use", "")
	wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectListen, "free: free to listen on", "")
	wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectRemote, "remote: the server would listen", "")
	wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectTarget, echo+" takes connections", "")
	if _, err := os.Stat(alive); err != nil {
		t.Error("the socket of somebody else was removed")
	}
	// What was tried leaves the server's own socket behind unless it unlinks: sshd does not.
	s.Stop()

	path := filepath.Join(dir, "web.tunnel")
	if err := os.WriteFile(path, []byte("[Tunnel]\nDestination=localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	x := &examination{ctx: t.Context(), o: Options{Path: path}}
	x.file()
	if !slices.ContainsFunc(x.Findings, func(f tunnelfile.Finding) bool { return f.Mend == "chmod o-w "+path }) {
		t.Errorf("%+v", x.Findings)
	}
}

// TestAgentWithManyKeys: a server hangs up before the right one is offered.
func TestAgentWithManyKeys(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-agent")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	var keys []testbed.Key
	for i := range 7 {
		keys = append(keys, testbed.NewKey(t, filepath.Join(s.Dir, "many"+strconv.Itoa(i)), "ed25519", ""))
	}
	agent := testbed.Agent(t, keys...)
	text := strings.Replace(fileFor(s, "LocalForward=127.0.0.1:"+strconv.Itoa(testbed.FreePort(t))+" localhost:1\n"), "IdentitiesOnly=yes", "IdentityAgent="+agent.Socket, 1)
	lines := look(t, text)
	wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectAgent, "offers 7 keys", "holdfast set web SSH.IdentityFile="+s.IdentityFile+" SSH.IdentitiesOnly=yes")
	wants(t, lines, tunnelfile.Trouble, tunnelfile.SubjectLogin, "allows no more tries", "IdentitiesOnly=yes")
	if s.Attempts() != 1 {
		t.Errorf("%d connections", s.Attempts())
	}
}

// TestKeyForSSH: what only ssh can use is no trouble where ssh is what logs in.
func TestKeyForSSH(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "openssl", "ssh-keygen")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	key := filepath.Join(s.Dir, "curve") // with its parameters before the key
	public, err := testbed.Output("sh", "-c", "umask 077; openssl ecparam -name prime256v1 -genkey -out "+key+" && ssh-keygen -y -f "+key)
	if err != nil {
		t.Fatal(err)
	}
	s.Authorize(public)
	text := strings.Replace(fileFor(s, ""), s.IdentityFile, key, 1)
	lines := look(t, text)
	wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectKey, "is a key that ssh itself uses", "")
	wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectLogin, "transport openssh", "")
	lines = look(t, strings.Replace(text, "[SSH]", "Transport=native\n[SSH]", 1))
	wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectKey, "in a format that only ssh-agent or Transport=openssh can use", "")
}

// TestKeepalives: whether the server would notice a client that is gone, by what it asks, over both
// transports.
func TestKeepalives(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	asks := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"ClientAliveInterval 1"}})
	silent := testbed.StartServer(t, testbed.ServerOptions{})
	idle := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"UnusedConnectionTimeout 1"}})
	for _, transport := range []string{"native", "openssh"} {
		t.Run(transport, func(t *testing.T) {
			forward := "RemoteForward=0 localhost:1\nTransport=" + transport + "\n"
			lines := look(t, fileFor(asks, forward))
			wants(t, lines, tunnelfile.FindingOK, tunnelfile.SubjectKeepalive, "the server asks whether this side is there", "")
			lines = look(t, fileFor(silent, forward))
			wants(t, lines, tunnelfile.Hint, tunnelfile.SubjectKeepalive, "ClientAliveInterval is unknown", "ClientAliveInterval 15")
			lines = look(t, fileFor(idle, forward))
			wants(t, lines, tunnelfile.Trouble, tunnelfile.SubjectKeepalive, "while nothing ran through it", "UnusedConnectionTimeout")
		})
	}
}
