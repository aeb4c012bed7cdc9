//go:build packages

package release

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// machine is a throw-away machine, on which packages are installed as people do.
type machine struct {
	testing.TB
	dir string
}

func newMachine(t testing.TB) machine {
	t.Helper()
	testbed.Need(t, "systemd-nspawn", "apt-get")
	if os.Getuid() != 0 {
		testbed.NotHere(t, "a machine of its own needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "holdfast-release")
	if err != nil {
		t.Fatal(err)
	}
	m := machine{t, dir}
	t.Cleanup(func() { m.box("off") })
	m.must("boot")
	return m
}

func (m machine) box(verb string, argv ...string) (string, error) {
	return output(root, append([]string{"testbed/box", verb, m.dir}, argv...)...)
}

func (m machine) must(verb string, argv ...string) string {
	m.Helper()
	out, err := m.box(verb, argv...)
	if err != nil {
		m.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// root and user run a line of shell.
func (m machine) root(line string) string {
	m.Helper()
	return m.must("root", "bash", "-c", line)
}

func (m machine) user(line string) string {
	m.Helper()
	return m.must("user", "bash", "-c", "cd; "+line)
}

// await runs a line of shell until it succeeds.
func (m machine) await(who, line string) {
	m.Helper()
	testbed.WaitFor(m, 60*time.Second, func() error {
		_, err := m.box(who, "bash", "-c", line)
		return err
	})
}

// server makes the machine run an sshd of its own, also after a boot, that tester may log in to with a key.
func (m machine) server() {
	m.Helper()
	m.root(`mkdir -p /etc/testsshd && ssh-keygen -q -t ed25519 -N '' -f /etc/testsshd/key
printf '[Unit]\nAfter=network.target\n[Service]\nExecStartPre=/bin/mkdir -p /run/sshd\nExecStart=/usr/sbin/sshd -D -f /etc/testsshd/config\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/testsshd.service
printf 'Port 2222\nListenAddress 127.0.0.1\nHostKey /etc/testsshd/key\nUsePAM no\n' >/etc/testsshd/config
systemctl enable --now testsshd`)
	m.await("root", "echo | nc -w1 127.0.0.1 2222 | grep -q SSH-2")
	m.user(`mkdir -p -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519 && cp .ssh/id_ed25519.pub .ssh/authorized_keys
ssh-keyscan -p 2222 127.0.0.1 2>/dev/null >.ssh/known_hosts`)
}

const works = "nc -w2 127.0.0.1 8080 </dev/null | grep -q ^SSH-2"

// pid is the process of a unit of the user's.
func (m machine) pid(unit string) string {
	m.Helper()
	return m.user("systemctl --user show -p MainPID --value " + unit)
}

// again repacks the built package with another version.
func again(t testing.TB, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "holdfast")
	run(t, "dpkg-deb", "-R", built(t, "holdfast_*_amd64.deb"), dir)
	control := filepath.Join(dir, "DEBIAN/control")
	text, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(text, []byte("Version: "+version))
	if err := os.WriteFile(control, text, 0o644); err != nil {
		t.Fatal(err)
	}
	deb := filepath.Join(scratch, "holdfast_"+version+"_amd64.deb")
	run(t, "dpkg-deb", "-Zgzip", "-z1", "-b", dir, deb)
	return deb
}

// TestFreshMachine goes the way of somebody who meets Holdfast: install, first tunnel, reboot, upgrade, downgrade, an
// upgrade that is interrupted, remove, purge.
func TestFreshMachine(t *testing.T) {
	m := newMachine(t)
	m.server()
	deb := built(t, "holdfast_*_amd64.deb")
	m.root("apt-get install -y --no-install-recommends " + deb)
	if got := m.root("systemctl is-enabled holdfastd; systemctl is-active holdfastd; true"); got != "disabled\ninactive" {
		t.Errorf("after the installation the system's daemon is %q", got)
	}
	m.root("getent passwd holdfast | grep -q ':/var/lib/holdfast:' && test $(stat -c %U:%a /var/lib/holdfast/.ssh) = holdfast:700")
	m.root("man -w holdfast && man -w holdfast.tunnel && test -e /usr/share/zsh/vendor-completions/_holdfast")

	// The README's words.
	m.user("systemctl --user enable --now holdfastd")
	m.user("holdfast add web -L 8080:127.0.0.1:2222 -p 2222 tester@127.0.0.1 && holdfast up web")
	m.await("user", works)
	m.root("systemctl enable --now holdfastd && holdfast --system list")

	// Power off, and on: nobody logs in.
	m.must("reboot")
	m.await("root", works)
	if state := m.user("holdfast status web"); !strings.Contains(state, "up") {
		t.Errorf("after the boot: %s", state)
	}
	m.root("systemctl is-active holdfastd")

	// What replaces the package replaces daemons, and leaves tunnels and what runs through them.
	line := m.through()
	for _, step := range []struct{ what, command string }{
		{"an upgrade", "apt-get install -y --no-install-recommends " + again(t, "99.1-1")},
		{"a downgrade", "dpkg -i " + deb},
		{"an upgrade that is interrupted", "dpkg --unpack " + again(t, "99.2-1") + " && " + works + " && dpkg --configure -a"},
	} {
		daemon, tunnel, system := m.pid("holdfastd"), m.pid("holdfast-tunnel@web"), m.root("systemctl show -p MainPID --value holdfastd")
		m.root(step.command)
		m.user("holdfast list")
		if now := m.pid("holdfastd"); now == daemon || now == "0" {
			t.Errorf("%s: the user's daemon was %s, is %s", step.what, daemon, now)
		}
		if now := m.root("systemctl show -p MainPID --value holdfastd"); now == system || now == "0" {
			t.Errorf("%s: the system's daemon was %s, is %s", step.what, system, now)
		}
		if now := m.pid("holdfast-tunnel@web"); now != tunnel {
			t.Errorf("%s: the tunnel's process was %s, is %s", step.what, tunnel, now)
		}
		line.alive(step.what)
		m.user(works)
	}

	// The tray's package: its icon is found, also where there is a cache of icons: the desktop's triggers see to it.
	m.root("gtk-update-icon-cache -q -t -f /usr/share/icons/hicolor")
	m.root("apt-get install -y --no-install-recommends " + deb + " " + built(t, "holdfast-tray_*_amd64.deb") + " --allow-downgrades")
	m.root("grep -q holdfast /usr/share/icons/hicolor/icon-theme.cache")
	m.user("holdfast-tray --version")

	// Removed and purged: nothing runs, and the tunnel files are there.
	m.root("printf '[Tunnel]\\nDestination=x\\n' >/etc/holdfast/system/kept.tunnel")
	m.root("apt-get remove -y holdfast")
	m.await("user", "! systemctl --user list-units --plain --no-legend 'holdfast*' | grep -q active.running")
	m.root("! systemctl is-active holdfastd")
	m.root("apt-get purge -y holdfast holdfast-tray && test -e /etc/holdfast/system/kept.tunnel && ! test -e /etc/xdg/autostart/holdfast-tray.desktop")
	m.user("test -e ~/.config/holdfast/web.tunnel")
}

// stream is a connection through the tunnel that stays open: to the machine's sshd, which waits for a client's first line.
type stream struct {
	machine
	in  io.WriteCloser
	out *bufio.Reader
}

// through opens a shell in the machine by ssh, through the tunnel.
func (m machine) through() stream {
	m.Helper()
	cmd := exec.Command("testbed/box", "user", m.dir, "ssh", "-T", "-p", "8080", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "127.0.0.1", "cat")
	cmd.Dir = root
	in, err := cmd.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	s := stream{m, in, bufio.NewReader(out)}
	s.alive("at first")
	return s
}

// alive says a line, which must come back.
func (s stream) alive(when string) {
	s.Helper()
	said := fmt.Sprintf("%s at %d\n", when, time.Now().UnixNano())
	if _, err := io.WriteString(s.in, said); err != nil {
		s.Errorf("%s: the connection through the tunnel is gone: %v", when, err)
		return
	}
	answer := make(chan string, 1)
	go func() {
		line, _ := s.out.ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		if line != said {
			s.Errorf("%s: through the tunnel came %q", when, line)
		}
	case <-time.After(30 * time.Second):
		s.Errorf("%s: nothing comes through the tunnel", when)
	}
}

// TestAnsible runs the role on a machine of its own, twice: the second time nothing changes.
func TestAnsible(t *testing.T) {
	testbed.Need(t, "ansible-playbook")
	m := newMachine(t)
	m.server()
	playbook := filepath.Join(scratch, "playbook.yml")
	text := `- hosts: localhost
  connection: local
  vars: {ansible_become_method: ansible.builtin.su, ansible_python_interpreter: /usr/bin/python3}
  roles:
    - role: holdfast
      holdfast_package: ` + built(t, "holdfast_*_amd64.deb") + `
      holdfast_users:
        - user: tester
          tunnels:
            web: |
              [Tunnel]
              Destination=ssh://tester@127.0.0.1:2222
              LocalForward=8080:127.0.0.1:2222
      holdfast_system_tunnels:
        idle: |
          [Tunnel]
          Destination=ssh://tester@127.0.0.1:2222
          LocalForward=8081:127.0.0.1:2222
          Start=manual
`
	if err := os.WriteFile(playbook, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	play := "cd " + root + " && ANSIBLE_ROLES_PATH=packaging/ansible/roles ANSIBLE_NOCOLOR=1 ansible-playbook -i localhost, " + playbook
	first := m.root(play)
	m.await("user", works)
	if got := m.root("holdfast --system list"); !strings.Contains(got, "idle") {
		t.Errorf("the system's tunnels: %s", got)
	}
	second := m.root(play)
	if !regexp.MustCompile(`changed=0 .*failed=0`).MatchString(second) {
		t.Errorf("the second time:\n%s\nthe first time:\n%s", second, first)
	}
}
