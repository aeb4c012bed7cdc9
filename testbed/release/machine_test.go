//go:build packages

package release

import (
	"os"
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
	m.root("rm -f /var/lib/man-db/auto-update") // which takes longer than all the rest of an installation
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

// firstTunnel is what the README says to type once the package is installed, with this machine's server.
func firstTunnel(t testing.TB) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "and as the user whose tunnels these are:\n\n")
	var lines []string
	for line := range strings.Lines(text) {
		line, isCommand := strings.CutPrefix(line, "    ")
		if !isCommand {
			break
		}
		line, _, _ = strings.Cut(line, " #")
		lines = append(lines, strings.TrimSpace(strings.NewReplacer("localhost:80 me@host", "127.0.0.1:2222 -p 2222 tester@127.0.0.1", "$USER", "tester").Replace(line)))
	}
	if !found || len(lines) != 4 || !strings.Contains(strings.Join(lines, "\n"), "tester@127.0.0.1") {
		t.Fatalf("the README says %q", lines)
	}
	return lines
}

// TestFreshMachine goes the way of somebody who meets Holdfast: install, first tunnel, reboot, the tray, remove, purge.
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

	// The README's words. The machine's user lingers already; this one is to do without until the README says so.
	m.root("rm /var/lib/systemd/linger/tester")
	for _, line := range firstTunnel(t) {
		if command, asRoot := strings.CutPrefix(line, "sudo "); asRoot {
			m.root(command)
		} else {
			m.user(line)
		}
	}
	m.await("user", works)
	m.root("systemctl enable --now holdfastd && holdfast --system list")

	// Power off, and on: nobody logs in.
	m.must("reboot")
	m.await("root", works)
	if state := m.user("holdfast status web"); !strings.Contains(state, "up") {
		t.Errorf("after the boot: %s", state)
	}
	m.root("systemctl is-active holdfastd")

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
