//go:build packages

package release

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// What the tunnels of these tests lead to, and how many a person has, and the machine.
const (
	echo        = "127.0.0.1:7000"
	userTunnels = 18
	allTunnels  = 20
)

// upgrading is a machine on which one version of the package is installed, and twenty tunnels of
// every kind are up, of a person's and of the machine's, under load.
type upgrading struct {
	machine
	*clients
	old, new string // packages
}

const oldVersion, newVersion = "0.9.0~a", "0.9.0~b"

func newUpgrading(t *testing.T) upgrading {
	m := newMachine(t)
	m.server()
	u := upgrading{machine: m, old: version(t, oldVersion, "holdfast_*.deb"), new: version(t, newVersion, "holdfast_*.deb")}
	m.root("apt-get install -y --no-install-recommends " + u.old)
	kinds := []string{"", "Connections=3\\n", "Start=on-demand\\nIdleTimeout=1s\\n", "Transport=openssh\\n", "ExecDown=/bin/touch /tmp/down\\n"}
	var script strings.Builder
	var addresses []string
	for i := range allTunnels {
		address := fmt.Sprintf("127.0.0.1:%d", 8000+i)
		folder, section := "/home/tester/.config/holdfast", ""
		switch {
		case i >= userTunnels:
			folder, section = "/etc/holdfast/system", "[Service]\\nUser=tester\\n"
		case i%7 == 6:
			address = fmt.Sprintf("/tmp/t%02d.sock", i)
		}
		fmt.Fprintf(&script, "printf '[Tunnel]\\nDestination=ssh://tester@127.0.0.1:2222\\nLocalForward=%s %s\\n%s%s' >%s/t%02d.tunnel\n", address, echo, kinds[i%len(kinds)], section, folder, i)
		addresses = append(addresses, address)
	}
	m.user("mkdir -p .config/holdfast")
	m.root(script.String() + "chown -R tester: /home/tester/.config; systemctl enable --now holdfastd")
	m.user("systemctl --user enable --now holdfastd; holdfast up --all")
	m.root("holdfast --system up --all")
	u.clients = m.load(echo, addresses...)
	u.during("before", 200)
	return u
}

// Helper, and the like, are of the machine.
func (u upgrading) Helper() { u.machine.Helper() }

// pids are the processes of the tunnels' units, in their order.
func (u upgrading) pids() string {
	u.Helper()
	const show = "show -p MainPID --value 'holdfast-tunnel@*.service'"
	pids := strings.Fields(u.user("systemctl --user "+show) + "\n" + u.root("systemctl "+show))
	slices.Sort(pids) // systemd names its units in no order
	return strings.Join(pids, " ")
}

// versions is how many tunnels run which version.
func (u upgrading) versions() map[string]int {
	u.Helper()
	counts := map[string]int{}
	for _, text := range []string{u.user("holdfast --json status"), u.root("holdfast --system --json status")} {
		var status struct {
			Tunnels []struct {
				Name, State   string
				WorkerVersion string `json:"worker_version"`
			}
		}
		if err := json.Unmarshal([]byte(text), &status); err != nil {
			u.machine.Fatal(err)
		}
		for _, t := range status.Tunnels {
			if strings.HasPrefix(t.Name, "t") {
				counts[t.WorkerVersion]++
			}
		}
	}
	return counts
}

// awaitVersion waits until all tunnels run that version.
func (u upgrading) awaitVersion(version string) {
	u.Helper()
	testbed.WaitFor(u.machine, 2*time.Minute, func() error {
		if got := u.versions(); got[version] != allTunnels {
			return fmt.Errorf("%v, want all %s", got, version)
		}
		return nil
	})
}

// TestUpgrade replaces the package under load, forth and back: by hand and by itself.
func TestUpgrade(t *testing.T) {
	u := newUpgrading(t)
	before, daemon := u.pids(), u.pid("holdfastd")
	u.root("apt-get install -y --no-install-recommends " + u.new)
	u.during("an upgrade, which replaces the daemons alone", 200)
	if now := u.pid("holdfastd"); now == daemon || now == "0" {
		t.Errorf("the daemon was %s, is %s", daemon, now)
	}
	if now := u.pids(); now != before {
		t.Errorf("tunnels were %q, are %q", before, now)
	}
	if got := u.versions(); got[oldVersion] != allTunnels {
		t.Errorf("versions after the upgrade: %v", got)
	}
	for _, line := range []string{"holdfast version", "holdfast status", "holdfast check; true"} {
		if out := u.user(line + " 2>&1"); !strings.Contains(out, "holdfast restart --rolling --all") {
			t.Errorf("%s does not say what to type:\n%s", line, out)
		}
	}

	start := time.Now()
	u.user("holdfast restart --rolling --all")
	u.root("holdfast --system restart --rolling --all")
	u.during("restart --rolling of "+fmt.Sprint(allTunnels)+" in "+time.Since(start).Round(time.Millisecond).String(), 200)
	u.awaitVersion(newVersion)
	if out := u.user("holdfast version; holdfast status 2>&1"); strings.Contains(out, "--rolling") {
		t.Errorf("after the restart: %s", out)
	}

	// By itself, and back.
	u.root("sed -i 's/^#RollingRestart=.*/RollingRestart=yes/' /etc/holdfast/holdfast.conf && grep -q ^RollingRestart=yes /etc/holdfast/holdfast.conf")
	for _, step := range []struct{ what, deb, version string }{
		{"a downgrade with RollingRestart=yes", u.old, oldVersion},
		{"an upgrade with RollingRestart=yes", u.new, newVersion},
	} {
		start := time.Now()
		u.root("apt-get install -y --no-install-recommends --allow-downgrades " + step.deb)
		u.awaitVersion(step.version)
		u.during(step.what+", all "+fmt.Sprint(allTunnels)+" handed over within "+time.Since(start).Round(time.Second).String(), 200)
		u.root("grep -q ^RollingRestart=yes /etc/holdfast/holdfast.conf") // a conffile
	}
	u.stop("the end, with the streams that lasted")
	u.root("! test -e /tmp/down")
}

// TestInterrupted ends dpkg in the middle, with tunnels under load, and then removes and purges the package.
func TestInterrupted(t *testing.T) {
	u := newUpgrading(t)
	before := u.pids()
	// A new program that hangs has a minute.
	u.root("cd /usr/bin && cp -a holdfast-tunnel kept && printf '#!/bin/sh\nexec sleep 600\n' >new && chmod 755 new && mv new holdfast-tunnel")
	u.user("holdfast restart --rolling --no-wait t00")
	u.await("user", "holdfast status t00 | grep -q 'a new process is to take over'")
	u.root("cd /usr/bin && mv kept holdfast-tunnel")
	// While it unpacks: the package is to be installed again.
	u.root("dpkg -i " + u.new + " >/dev/null 2>&1 & dpkg=$!; until test -e /usr/bin/holdfastd.dpkg-new; do :; done; kill -9 $dpkg; wait $dpkg; true")
	if state := u.root("dpkg-query -W -f '${db:Status-Status}' holdfast"); state == "installed" {
		t.Errorf("dpkg was not interrupted: %s", state)
	}
	u.during("dpkg killed while it unpacks", 100)
	u.root("dpkg --configure -a; apt-get install -y --no-install-recommends " + u.new)
	u.during("the package installed again", 100)
	// While it configures.
	u.root("dpkg --unpack " + u.old + " && dpkg --configure holdfast & until pid=$(pgrep -f '^/bin/sh /var/lib/dpkg/info/holdfast.postinst'); do :; done; kill -9 $(pgrep -x dpkg) $pid; wait; true")
	if state := u.root("dpkg-query -W -f '${db:Status-Status}' holdfast"); state != "half-configured" {
		t.Errorf("dpkg was not interrupted: %s", state)
	}
	u.during("dpkg killed while it configures", 100)
	u.root("dpkg --configure -a && test $(dpkg-query -W -f '${db:Status-Status}' holdfast) = installed")
	u.during("dpkg --configure -a", 100)
	testbed.WaitFor(t, 90*time.Second, func() error {
		if out := u.user("holdfast status t00"); !strings.Contains(out, "the new program had no SSH connection within") {
			return fmt.Errorf("of a new program that hangs is said: %s", out)
		}
		return nil
	})
	u.during("a new program that hung for a minute", 100)
	if now := u.pids(); now != before {
		t.Errorf("tunnels were %q, are %q", before, now)
	}
	u.user("holdfast restart --rolling --all")
	u.root("holdfast --system restart --rolling --all")
	u.during("and restart --rolling", 100)
	u.stop("the end, with the streams that lasted")

	u.root("apt-get remove -y holdfast")
	u.nothingRuns("remove")
	u.root("apt-get purge -y holdfast && test -e /etc/holdfast/system/t19.tunnel && ! test -e /etc/holdfast/holdfast.conf")
	u.user("test -e .config/holdfast/t00.tunnel")
	u.nothingRuns("purge")
	u.root("! find /etc/systemd /etc/xdg /usr/lib/systemd /usr/share/dbus-1 -name '*oldfast*' | grep .")
}

// nothingRuns checks what is left of the tunnels: no process, no unit, no listener.
func (u upgrading) nothingRuns(after string) {
	u.Helper()
	for what, line := range map[string]string{
		"processes": "pgrep -fa '/usr/bin/holdfas[t]' || true",
		"listeners": "ss -Hlntx | grep -E '127.0.0.1:80[0-9][0-9] |/tmp/t[0-9]+[.]sock' || true",
		"units":     "systemctl list-units --plain --no-legend 'holdfast*' || true",
	} {
		if out := u.root(line); out != "" {
			u.machine.Errorf("after %s there are %s:\n%s", after, what, out)
		}
	}
	if out := u.user("systemctl --user list-units --plain --no-legend 'holdfast*'"); out != "" {
		u.machine.Errorf("after %s the user's manager has\n%s", after, out)
	}
}
