//go:build packages

package release

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// standIns makes packages that stand for those that ours depend on: the machine has the programs,
// from Debian. It returns the folder.
func standIns(t testing.TB, format string, names ...string) string {
	t.Helper()
	dir := filepath.Join(scratch, "stand-ins-"+format)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file := filepath.Join(t.TempDir(), "nfpm.yaml")
		text := fmt.Sprintf("{name: %s, version: '999', arch: amd64, platform: linux, maintainer: nobody, description: stands for the real one}", name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, tool(t, "nfpm"), "package", "-f", file, "-p", format, "-t", dir+"/")
	}
	return dir
}

// manager is a package manager that is not this machine's own: its command lines, each before files or a name.
type manager struct {
	install, downgrade, remove string
	old, new                   string // packages
	kept                       string // what a changed holdfast.conf is after the package was removed
}

// TestRPM installs the rpm by dnf, in a machine whose other packages are Debian's.
func TestRPM(t *testing.T) {
	m := newMachine(t)
	m.root("command -v dnf") // testbed/packages-packages
	dir := standIns(t, "rpm", "systemd", "dbus", "openssh-clients")
	const dnf = "dnf --disablerepo='*' --nogpgcheck --releasever=1 -q -y "
	m.root(dnf + "install " + dir + "/*.rpm")
	m.foreign(manager{
		install: dnf + "install", downgrade: dnf + "downgrade", remove: dnf + "remove",
		old: version(t, oldVersion, "holdfast-0*.x86_64.rpm"), new: version(t, newVersion, "holdfast-0*.x86_64.rpm"),
		kept: "/etc/holdfast/holdfast.conf.rpmsave",
	})
	m.root("rpm -V holdfast 2>&1 | grep -q 'not installed'")
}

// TestArch installs the package for Arch by pacman, likewise.
func TestArch(t *testing.T) {
	m := newMachine(t)
	// Arch's sh is bash, and so are the scripts of packages.
	m.root("command -v pacman && ln -sf bash /bin/sh && mkdir -p /var/lib/pacman && printf '[options]\\nArchitecture=auto\\nLocalFileSigLevel=Never\\n' >/etc/pacman.conf")
	dir := standIns(t, "archlinux", "systemd", "dbus", "openssh")
	const pacman = "pacman --noconfirm --noprogressbar "
	m.root(pacman + "-U " + dir + "/*.zst")
	m.foreign(manager{
		install: pacman + "-U", downgrade: pacman + "-U", remove: pacman + "-R",
		old: version(t, oldVersion, "holdfast-0*.zst"), new: version(t, newVersion, "holdfast-0*.zst"),
		kept: "/etc/holdfast/holdfast.conf.pacsave",
	})
}

// foreign goes the way of a package: installed, a tunnel, upgrade, downgrade, removal.
func (m machine) foreign(p manager) {
	m.Helper()
	m.server()
	m.root(p.install + " " + p.old)
	if got := m.root("systemctl is-enabled holdfastd; systemctl is-active holdfastd; getent passwd holdfast | cut -d : -f 6"); got != "disabled\ninactive\n/var/lib/holdfast" {
		m.Errorf("after the installation: %q", got)
	}
	for _, line := range firstTunnel(m)[:3] {
		m.user(line)
	}
	m.await("user", works)
	m.root("echo '# mine' >>/etc/holdfast/holdfast.conf")
	for _, step := range []struct{ what, command, version string }{
		{"an upgrade", p.install + " " + p.new, newVersion}, {"a downgrade", p.downgrade + " " + p.old, oldVersion},
	} {
		daemon, tunnel := m.pid("holdfastd"), m.pid("holdfast-tunnel@web")
		m.root(step.command)
		if now := m.pid("holdfastd"); now == daemon || now == "0" {
			m.Errorf("%s: the daemon was %s, is %s", step.what, daemon, now)
		}
		if now := m.pid("holdfast-tunnel@web"); now != tunnel {
			m.Errorf("%s: the tunnel's process was %s, is %s", step.what, tunnel, now)
		}
		m.user(works)
		if out := m.user("holdfast version"); !strings.Contains(out, step.version) {
			m.Errorf("%s: %s", step.what, out)
		}
		m.root("grep -qx '# mine' /etc/holdfast/holdfast.conf")
	}
	m.root(p.remove + " holdfast")
	m.root("test -e " + p.kept + " && ! command -v holdfast && ! systemctl is-active holdfastd && ! pgrep -f /usr/bin/holdfas[t]")
	m.user("test -e ~/.config/holdfast/web.tunnel && ! systemctl --user is-active holdfastd holdfast-tunnel@web holdfast-tunnel@web.socket")
}
