//go:build testbed

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestSystem installs Holdfast for the machine, as `make install` does, and has PID 1 run
// tunnels: what starts them, what they survive, who may look, and who may change them.
func TestSystem(t *testing.T) {
	testbed.NeedRootBox(t)
	m := newMachine(t)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	m.alias("/root", "server", server)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	through := func(t *testing.T) {
		t.Helper()
		testbed.CheckEcho(t, dial(t, local), 1<<16, 20*time.Second)
	}

	t.Run("activation", func(t *testing.T) {
		if got := m.show("holdfastd.service", "ActiveState"); got != "inactive" {
			t.Fatalf("the daemon is %s before anybody asked", got)
		}
		if out, err := m.ordinary("list"); err != nil || !strings.Contains(out, "holdfast --system add ") {
			t.Fatalf("list: %q, %v", out, err)
		}
		if got := m.show("holdfastd.service", "ActiveState"); got != "active" {
			t.Errorf("the daemon is %s", got)
		}
		out, err := testbed.Output("systemd-analyze", "--man=no", "verify", "/usr/local/lib/systemd/system/holdfastd.service")
		if err != nil || strings.Contains(out, "holdfast") {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	})

	t.Run("add and up", func(t *testing.T) {
		if out := m.holdfast(t, "add", "web", "-L", local+":"+echo, "server"); !strings.Contains(out, "with every boot; holdfast --system status web") {
			t.Errorf("add says %q", out)
		}
		m.holdfast(t, "up", "web")
		through(t)
		if got := m.show(tunnelfile.ServiceName("web"), "Slice"); got != tunnelfile.Slice {
			t.Errorf("it is in %s", got)
		}
		m.holdfast(t, "set", "web", "RetryMax=2s")
		if out := m.holdfast(t, "history", "web"); !strings.Contains(out, "100 %") {
			t.Errorf("history: %q", out)
		}
	})

	t.Run("an ordinary user", func(t *testing.T) {
		for verb, want := range map[string]string{
			"status web": "holdfast-tunnel@web.service", "list": "web", "show web": "Destination=server",
			"metrics": `holdfast_sent_bytes_total{tunnel="web"`,
		} {
			if out, err := m.ordinary(strings.Fields(verb)...); err != nil || !strings.Contains(out, want) {
				t.Errorf("%s: %q, %v", verb, out, err)
			}
		}
		for verb, want := range map[string]string{
			"down web":                "sudo holdfast --system down",
			"up web":                  "only root may do this",
			"restart --all":           "only root may do this",
			"set web MaxHeld=1":       "only root may do this",
			"add more -L 1:a:1 there": "only root may do this",
			"remove web":              "only root may do this",
			"reconnect web":           "only root may do this",
			"explain web":             "web runs as root",
			"trust web":               "web runs as root",
			"history web":             "no journal that you may read",
		} {
			if out, err := m.ordinary(strings.Fields(verb)...); exitStatus(err) != 1 || !strings.Contains(out, want) {
				t.Errorf("%s: %q, %v", verb, out, err)
			}
		}
		if out, err := as("busctl", "call", busName, entryPath, busName+".Manager", "CheckTunnel", "ss", "a", "b"); err == nil || !strings.Contains(out, "denied") {
			t.Errorf("CheckTunnel: %q, %v", out, err)
		}
		if out, err := as("busctl", "call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName", "su", busName, "0"); err == nil {
			t.Errorf("the name can be had: %q", out)
		}
		through(t)
	})

	t.Run("crashes", func(t *testing.T) {
		worker := m.show(tunnelfile.ServiceName("web"), "MainPID")
		m.kill(t, "holdfastd.service")
		through(t)
		m.kill(t, tunnelfile.ServiceName("web"))
		through(t) // waits in the socket's queue
		m.awaitState(t, "web", tunnelfile.Up)
		if now := m.show(tunnelfile.ServiceName("web"), "MainPID"); now == worker {
			t.Error("the worker was not killed")
		}
	})

	t.Run("down lasts, and boots", func(t *testing.T) {
		m.holdfast(t, "down", "web")
		testbed.Command(t, "systemctl", "restart", "holdfastd")
		m.awaitState(t, "web", tunnelfile.Inactive)
		m.holdfast(t, "up", "web")

		// As a boot finds it: nothing runs, /run is empty, multi-user.target is to be reached.
		testbed.Command(t, "systemctl", "enable", "holdfastd")
		if out := m.holdfast(t, "check", "web"); !strings.Contains(out, "it lets in tester") {
			t.Errorf("check: %s", out)
		}
		testbed.Command(t, "systemctl", "stop", "holdfastd")
		_, _ = testbed.Output("systemctl", "stop", "holdfast-tunnel@*") // one of them may be gone with another
		testbed.WaitFor(t, 10*time.Second, func() error {
			if got := m.show(tunnelfile.ServiceName("web"), "ActiveState"); got != "inactive" {
				return fmt.Errorf("web is %q", got)
			}
			return nil
		})
		if err := os.RemoveAll("/run/holdfast"); err != nil {
			t.Fatal(err)
		}
		testbed.Command(t, "systemctl", "start", "multi-user.target")
		testbed.WaitFor(t, 10*time.Second, func() error {
			if got := m.show(tunnelfile.ServiceName("web"), "StatusText"); !strings.HasPrefix(got, "up:") {
				return fmt.Errorf("web is %q", got)
			}
			return nil
		})
		through(t)
	})

	t.Run("a password at a terminal", func(t *testing.T) {
		testbed.Need(t, "pkttyagent")
		const password = "correct horse"
		hash := strings.TrimSpace(testbed.Command(t, "openssl", "passwd", "-6", password))
		testbed.Command(t, "usermod", "--password", hash, "--append", "--groups", "sudo", "tester")
		t.Cleanup(func() { testbed.Command(t, "bash", "-c", "gpasswd -d tester sudo && usermod --password '*' tester") })
		// One command may be several calls, and takes one password.
		for _, args := range [][]string{{"restart", "web"}, {"set", "web", "RetryMax=3s"}} {
			shown, err := m.ordinaryAtTerminal(t, args, "Password: ", password)
			if err != nil || strings.Count(shown, "Password: ") != 1 || strings.Contains(shown, password) {
				t.Errorf("%s: %v; it shows %q", args, err, shown)
			}
		}
		through(t)
		shown, err := m.ordinaryAtTerminal(t, []string{"set", "web", "Description=it's web"}, "Password: ", "wrong")
		if exitStatus(err) != 1 || !strings.Contains(shown, `the same as root: sudo holdfast --system set web 'Description=it'\''s web'`) || strings.Count(shown, "Password: ") != 1 {
			t.Errorf("with a wrong password: %v; it shows %q", err, shown)
		}
		if shown, err := m.ordinaryAtTerminal(t, []string{"down", "web"}, "Password: ", "\x03"); exitStatus(err) != 1 || strings.Count(shown, "Password: ") != 1 {
			t.Errorf("with Ctrl-C: %v; it shows %q", err, shown)
		}

		// A file that not everybody may read is read with that password too, and never changed unread.
		const private = "/etc/holdfast/system/private.tunnel"
		m.write(t, "private", "[Tunnel]\nDestination=nowhere\nRemoteForward=1:a:1\nStart=manual\n")
		testbed.Command(t, "chmod", "600", private)
		m.holdfast(t, "list")
		if shown, err := m.ordinaryAtTerminal(t, []string{"set", "private", "MaxHeld=7"}, "Password: ", password); err != nil || strings.Count(shown, "Password: ") != 1 {
			t.Errorf("set of a private file: %v; it shows %q", err, shown)
		}
		if text, err := os.ReadFile(private); err != nil || !strings.Contains(string(text), "Destination=nowhere") || !strings.Contains(string(text), "MaxHeld=7") {
			t.Errorf("the private file: %q, %v", text, err)
		}
		if out, err := m.ordinary("set", "private", "MaxHeld=8"); exitStatus(err) != 1 || !strings.Contains(out, "sudo holdfast --system set private MaxHeld=8") {
			t.Errorf("set of a private file with nobody to ask: %q, %v", out, err)
		}

		program, err := exec.LookPath("pkttyagent")
		if err != nil {
			t.Fatal(err)
		}
		testbed.Command(t, "chmod", "0", program)
		t.Cleanup(func() { testbed.Command(t, "chmod", "755", program) })
		if shown, err := m.ordinaryAtTerminal(t, []string{"down", "web"}, "sudo holdfast --system down web", ""); exitStatus(err) != 1 {
			t.Errorf("without pkttyagent: %v; it shows %q", err, shown)
		}
		through(t)
	})

	t.Run("polkit", func(t *testing.T) {
		testbed.Need(t, "pkcheck")
		const rules = "/etc/polkit-1/rules.d/10-holdfast.rules"
		rule := `polkit.addRule(function(action, subject) { if (action.id == "io.github.holdfast.Holdfast1.manage" && subject.user == "tester") return polkit.Result.YES; });`
		if err := os.MkdirAll(filepath.Dir(rules), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(rules, []byte(rule), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(rules) })
		testbed.WaitFor(t, 10*time.Second, func() error {
			_, err := m.ordinary("restart", "web")
			return err
		})
		through(t)
		testbed.Command(t, "systemctl", "mask", "--now", "--runtime", "polkit")
		t.Cleanup(func() { testbed.Command(t, "systemctl", "unmask", "--runtime", "polkit") })
		if out, err := m.ordinary("restart", "web"); err == nil || !strings.Contains(out, "only root may do this") {
			t.Errorf("without polkit: %q, %v", out, err)
		}
	})
}

// TestSystemTunnelOfUser has PID 1 run a tunnel as somebody else than root: their keys, their
// known_hosts, their socket; and root's terminal answers what it asks.
func TestSystemTunnelOfUser(t *testing.T) {
	testbed.NeedRootBox(t)
	m := newMachine(t)
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	m.alias(person.Home, "server", server)
	known := filepath.Join(person.Home, ".ssh/known_hosts")
	config, err := os.ReadFile(filepath.Join(person.Home, ".ssh/config"))
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(person.Home, ".ssh/locked")
	locked := testbed.NewKey(t, key, "ed25519", passphrase)
	if err := os.Chown(key, person.UID, person.GID); err != nil {
		t.Fatal(err)
	}
	server.Authorize(locked.AuthorizedKey())
	var own strings.Builder // but for its known_hosts and its key
	for line := range strings.Lines(string(config)) {
		if !strings.Contains(line, "UserKnownHostsFile") && !strings.Contains(line, "IdentityFile") {
			own.WriteString(line)
		}
	}
	m.writeFile(filepath.Join(person.Home, ".ssh/config"), own.String()+"  IdentityFile ~/.ssh/locked\n")

	path := filepath.Join(testbed.SocketDir(t), "echo")
	m.write(t, "theirs", fmt.Sprintf("[Tunnel]\nDestination=tester@127.0.0.1\nLocalForward=%s %s\nStart=manual\n\n[SSH]\nHostKeyAlias=server\nPort=%d\nIdentityFile=~/.ssh/locked\nIdentityAgent=none\n\n[Service]\nUser=tester\n",
		path, testbed.Echo(t, "tcp", "127.0.0.1:0"), server.Port))

	if out, err := m.run("up", "theirs"); err == nil || !strings.Contains(out, "holdfast --system trust theirs") {
		t.Fatalf("with an unknown host key: %q, %v", out, err)
	}
	m.atTerminal(t, []string{"trust", "theirs"}, "? (yes/no, or a fingerprint)", "yes")
	info, err := os.Stat(known)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != person.UID {
		t.Fatalf("known_hosts of the tunnel's user: %+v, %v", info, err)
	}
	m.awaitState(t, "theirs", tunnelfile.Blocked) // and it does not hang: nobody is there
	m.atTerminal(t, []string{"up", "theirs"}, "locked':", passphrase)

	info, err = os.Stat(path)
	if err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != person.UID || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %+v, %v", info, err)
	}
	testbed.CheckEcho(t, dialPath(t, path), 1<<16, 10*time.Second)
	if got := m.show(tunnelfile.ServiceName("theirs"), "User"); got != "tester" {
		t.Errorf("it runs as %s", got)
	}
	if out := m.holdfast(t, "--json", "status", "theirs"); !strings.Contains(out, `"transport": "native"`) {
		t.Errorf("no report: %s", out)
	}
	if out := m.holdfast(t, "explain", "theirs"); !strings.Contains(out, "as tester") && !strings.Contains(out, "tester@127.0.0.1") {
		t.Errorf("explain: %s", out)
	}
	if out, err := m.ordinary("explain", "theirs"); err != nil {
		t.Errorf("explain by who it runs as: %q, %v", out, err)
	}
	if out, err := m.run("set", "theirs", "MaxHeld=9"); err != nil {
		t.Errorf("set: %q, %v", out, err)
	}

	m.holdfast(t, "set", "theirs", "Transport=openssh")
	m.atTerminal(t, []string{"restart", "theirs"}, "locked':", passphrase)
	testbed.CheckEcho(t, dialPath(t, path), 1<<16, 10*time.Second)
	if dirs, err := filepath.Glob(filepath.Join(tunnelfile.UserRuntimeDir("tester"), "holdfast-ssh-*")); len(dirs) == 0 {
		t.Errorf("the sockets of ssh are elsewhere (%v)", err)
	}

	// What another user's question would be, of a tunnel that is not theirs.
	m.write(t, "roots", "[Tunnel]\nDestination=nowhere\nRemoteForward=1:a:1\nStart=manual\n")
	m.holdfast(t, "list")
	testbed.WaitFor(t, 10*time.Second, func() error {
		out, err := as("busctl", "call", busName, entryPath, busName+".Agent", "Ask", "ossb", entryPath+"/tunnel/roots", "password", "your password?", "no")
		if err == nil || !strings.Contains(out, "denied") {
			return fmt.Errorf("%q, %v", out, err)
		}
		return nil
	})

	m.write(t, "dynamic", "[Tunnel]\nDestination=nowhere\nRemoteForward=1:a:1\n[Service]\nDynamicUser=yes\n")
	testbed.WaitFor(t, 10*time.Second, func() error {
		if out, err := m.run("up", "dynamic"); err == nil || !strings.Contains(out, "name one that stays by User=") {
			return fmt.Errorf("%q, %v", out, err)
		}
		return nil
	})
}

// machine is a machine with Holdfast installed for it, and desk for the people on it.
type machine struct{ *desk }

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{newDesk(t)}
	before := installedSystem(t)
	testbed.Command(t, "../../packaging/install", "/usr/local")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := testbed.Output("journalctl", "--no-pager", "-o", "cat", "-u", "holdfastd", "-u", "holdfast-tunnel@*", "-n", "80")
			t.Logf("journal:\n%s", out)
		}
		testbed.Command(t, "systemctl", "disable", "--now", "holdfastd")
		testbed.Output("systemctl", "stop", "holdfast-tunnel@*")
		files, _ := filepath.Glob("/etc/holdfast/system/*")
		for _, file := range files {
			os.Remove(file)
		}
		testbed.Command(t, "../../packaging/uninstall", "/usr/local")
		testbed.Command(t, "systemctl", "daemon-reload")
		testbed.Command(t, "systemctl", "reload", "dbus")
		for _, path := range installedSystem(t) {
			if !slices.Contains(before, path) {
				t.Errorf("uninstall leaves %s", path)
			}
		}
		os.RemoveAll("/run/holdfast")
	})
	testbed.Command(t, "systemctl", "daemon-reload")
	testbed.Command(t, "systemctl", "reload", "dbus")
	return m
}

// installedSystem is every file and folder of ours outside of homes and /run.
func installedSystem(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, root := range []string{"/etc", "/usr/local", "/usr/share/polkit-1", "/usr/share/dbus-1"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if strings.Contains(strings.ToLower(filepath.Base(path)), "holdfast") {
				found = append(found, path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// alias is desk.alias in the home of root or of the person.
func (m *machine) alias(home, name string, s *testbed.Server) {
	m.Helper()
	if home == person.Home {
		m.desk.alias(name, s)
		return
	}
	text := fmt.Sprintf("Host %s\n  HostName %s\n", name, s.Host)
	for _, setting := range s.SSHSettings() {
		text += "  " + strings.Replace(setting, "=", " ", 1) + "\n"
	}
	config := filepath.Join(home, ".ssh/config")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { os.Remove(config) })
}

// write writes a file of the system's by hand.
func (m *machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join("/etc/holdfast/system", name+tunnelfile.Suffix), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) run(args ...string) (string, error) {
	return testbed.Output(append([]string{"/usr/local/bin/holdfast", "--system"}, args...)...)
}

// ordinary is run by somebody who is not root.
func (m *machine) ordinary(args ...string) (string, error) {
	return as(append([]string{"/usr/local/bin/holdfast", "--system"}, args...)...)
}

// holdfast is run, which must succeed.
func (m *machine) holdfast(t *testing.T, args ...string) string {
	t.Helper()
	out, err := m.run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// show reads a property of a system unit.
func (m *machine) show(unit, property string) string {
	out, _ := testbed.Output("systemctl", "show", "--value", "--property="+property, unit)
	return strings.TrimSpace(out)
}

func dialPath(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// kill kills a unit's processes, and waits until systemd has seen it.
func (m *machine) kill(t *testing.T, unit string) {
	t.Helper()
	pid := m.show(unit, "MainPID")
	testbed.Command(t, "systemctl", "kill", "--signal=KILL", unit)
	testbed.WaitFor(t, 10*time.Second, func() error {
		if m.show(unit, "MainPID") == pid {
			return fmt.Errorf("%s still has process %s", unit, pid)
		}
		return nil
	})
}

func (m *machine) awaitState(t *testing.T, name string, state tunnelfile.State) {
	t.Helper()
	testbed.WaitFor(t, 15*time.Second, func() error {
		if out, _ := m.run("--json", "status", name); !strings.Contains(out, `"`+string(state)+`"`) {
			return fmt.Errorf("not %s: %s", state, out)
		}
		return nil
	})
}

// atTerminal runs the command line as root at a terminal, and types the answer when it is asked.
func (m *machine) atTerminal(t *testing.T, args []string, question, answer string) {
	t.Helper()
	if shown, err := atTerminal(t, append([]string{"/usr/local/bin/holdfast", "--system"}, args...), question, answer); err != nil {
		t.Fatalf("holdfast %s: %v; it shows %q", args, err, shown)
	}
}

// ordinaryAtTerminal is likewise ordinary.
func (m *machine) ordinaryAtTerminal(t *testing.T, args []string, question, answer string) (shown string, err error) {
	t.Helper()
	line := "exec env TERM=xterm /usr/local/bin/holdfast --system"
	for _, arg := range args {
		line += " " + tunnelfile.ShellWord(arg)
	}
	// polkit asks by an agent of a session.
	return atTerminal(t, []string{"runuser", "-l", "tester", "--session-command", line}, question, answer)
}

// atTerminal runs a program at a terminal, and types the answer when it is asked.
func atTerminal(t *testing.T, argv []string, question, answer string) (shown string, err error) {
	t.Helper()
	terminal := testbed.NewTerminal(t, 200, 50)
	before := terminal.Settings(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "TERM=xterm")
	terminal.Start(t, cmd)
	testbed.WaitFor(t, 20*time.Second, func() error {
		if !strings.Contains(terminal.Shown(), question) {
			return fmt.Errorf("%s shows %q", argv, terminal.Shown())
		}
		return nil
	})
	terminal.Type(t, answer+"\n")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end; it shows %q", argv, terminal.Shown())
	}
	if after := terminal.Settings(t); after != before {
		t.Errorf("%s leaves the terminal set otherwise: %+v, before %+v", argv, after, before)
	}
	return terminal.Shown(), err
}
