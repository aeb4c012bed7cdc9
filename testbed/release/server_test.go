//go:build packages

package release

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestServer is the way of a server's administrator: a tunnel of the machine with a key that only this machine
// can decrypt, ports below 1024, and units that start after tunnels, at boot too.
func TestServer(t *testing.T) {
	m := newMachine(t)
	m.server()
	m.root("dpkg -i " + built(t, "holdfast_*_amd64.deb"))
	m.root(`cd && ssh-keygen -q -t ed25519 -N '' -f key && cat key.pub >>~tester/.ssh/authorized_keys
systemd-creds encrypt --with-key=host --name=id_ed25519 key /etc/holdfast/db.cred
systemd-creds encrypt --with-key=tpm2-absent --name=id_ed25519 key /etc/holdfast/own.cred && rm key
install -o holdfast -m 600 ~tester/.ssh/known_hosts /var/lib/holdfast/.ssh/known_hosts
systemctl enable --now holdfastd`)

	t.Run("whose it is", func(t *testing.T) {
		m := machine{t, m.dir}
		// Enter alone takes the answer that is ready.
		m.root(`echo | script -qec "holdfast --system add db -L 443:127.0.0.1:2222 -D 81 -p 2222 -i '\${CREDENTIALS_DIRECTORY}/id_ed25519' tester@127.0.0.1" /dev/null`)
		m.root("holdfast --system set db HoldTimeout=0 RetryMax=1s Service.LoadCredentialEncrypted=id_ed25519:/etc/holdfast/db.cred && holdfast --system up db")
		m.root(through443 + " && test $(systemctl show -p User --value holdfast-tunnel@db) = holdfast")
		m.root("nc -w2 -X 5 -x 127.0.0.1:81 127.0.0.1 2222 </dev/null | grep -q ^SSH-2")
		if got := m.root("holdfast --system check db"); !strings.Contains(got, "id_ed25519 can be used without") || !strings.Contains(got, "it lets in tester") {
			t.Errorf("check:\n%s", got)
		}
		m.root("holdfast --system set db Transport=openssh && holdfast --system up db && " + through443)
		m.root("holdfast --system down db")
		if got := m.root("holdfast --system check db; true"); !strings.Contains(got, "systemd hands it over while the tunnel runs") || strings.Contains(got, "denied") {
			t.Errorf("check while it is down:\n%s", got)
		}
		m.root("holdfast --system set db Transport= && holdfast --system up db")

		// One that names nobody is root's, and check says so.
		m.write("/etc/holdfast/system/roots.tunnel", "[Tunnel]\nDestination=ssh://tester@127.0.0.1:2222\nLocalForward=8081:127.0.0.1:2222\nStart=manual\n")
		if got := m.root("holdfast --system check roots; true"); !strings.Contains(got, "the file names no User=, so the tunnel runs as root") {
			t.Errorf("check of root's:\n%s", got)
		}
	})

	t.Run("a port that ssh_config names", func(t *testing.T) {
		m := machine{t, m.dir}
		// The daemon does not read ssh_config in another user's name, so the process listens itself.
		m.write("/var/lib/holdfast/.ssh/config", "Host own\nHostName 127.0.0.1\nPort 2222\nUser tester\nLocalForward 127.0.0.1:82 127.0.0.1:2222\n")
		m.write("/etc/holdfast/system/own.tunnel", "[Tunnel]\nDestination=own\nStart=manual\n[SSH]\nIdentityFile=${CREDENTIALS_DIRECTORY}/id_ed25519\n[Service]\nUser=holdfast\nLoadCredentialEncrypted=id_ed25519:/etc/holdfast/own.cred\n")
		if got, err := m.box("root", "holdfast", "--system", "up", "own"); err == nil || !strings.Contains(got, "ports below 1024 are for root") {
			t.Errorf("without the capability: %v %s", err, got)
		}
		m.root("holdfast --system set own Service.AmbientCapabilities=CAP_NET_BIND_SERVICE && holdfast --system up own && nc -w2 127.0.0.1 82 </dev/null | grep -q ^SSH-2 && holdfast --system down own")
	})

	m.user("systemctl --user enable --now holdfastd && holdfast add web -L 8080:127.0.0.1:2222 -p 2222 tester@127.0.0.1 && holdfast set web HoldTimeout=0 RetryMax=1s && holdfast up web")
	m.write("/etc/systemd/system/report.service", ordered("db", through443, "multi-user.target"))
	m.write("/etc/systemd/system/early.service", "[Unit]\nBefore=testsshd.service\n"+strings.ReplaceAll(ordered("db", through443, "multi-user.target"), "holdfast-up@db.service", "basic.target"))
	m.write("/home/tester/.config/systemd/user/report.service", ordered("web", works, "default.target"))
	m.root("systemctl daemon-reload && systemctl enable report early")
	m.user("systemctl --user daemon-reload && systemctl --user enable report")

	t.Run("after a boot", func(t *testing.T) {
		m := machine{t, m.dir}
		// The server is some seconds later than all else.
		m.root("mkdir -p /etc/systemd/system/testsshd.service.d && printf '[Service]\nExecStartPre=/bin/sleep 5\n' >/etc/systemd/system/testsshd.service.d/late.conf")
		m.must("reboot")
		server := m.since("root", "systemctl", "testsshd", "ActiveEnter")
		m.root("systemctl is-active report && systemctl is-failed early")
		m.await("user", "systemctl --user is-active report")
		for who, started := range map[string]int{
			"the system's": m.since("root", "systemctl", "report", "ExecMainStart"),
			"the user's":   m.since("user", "systemctl --user", "report", "ExecMainStart"),
		} {
			if started < server {
				t.Errorf("%s unit started %d µs before the server", who, server-started)
			}
		}
	})

	t.Run("after the user manager's restart", func(t *testing.T) {
		m := machine{t, m.dir}
		m.root("systemctl stop testsshd && systemctl restart user@$(id -u tester)")
		m.await("user", "test $(systemctl --user show -p ActiveState --value holdfast-up@web) = activating")
		m.await("user", "holdfast status web | grep -q retrying")
		// A daemon that is replaced meanwhile ends no wait.
		m.user("systemctl --user restart holdfastd && holdfast list && systemctl --user show -p ActiveState holdfast-up@web | grep -q activating")
		m.user("test $(systemctl --user show -p ActiveState --value report) = inactive")
		m.root("systemctl start --no-block testsshd")
		m.await("user", "systemctl --user is-active report")
	})

	t.Run("a tunnel that needs a person", func(t *testing.T) {
		m := machine{t, m.dir}
		m.root("mv ~tester/.ssh/authorized_keys /root/ && systemctl stop report holdfast-up@db && holdfast --system down db")
		if got, err := m.box("root", "systemctl", "start", "report"); err == nil || !strings.Contains(got, "dependency") {
			t.Errorf("the unit started: %v %s", err, got)
		}
		if got := m.root("systemctl is-failed holdfast-up@db; journalctl -o cat -u holdfast-up@db -b"); !strings.Contains(got, "db is blocked [") || !strings.Contains(got, "hint: ") {
			t.Errorf("holdfast-up@db says: %s", got)
		}
		m.root("mv /root/authorized_keys ~tester/.ssh/ && systemctl start report")

		// What passes by itself is waited for as long as TimeoutStartSec= says.
		m.root(`systemctl stop report holdfast-up@db testsshd && holdfast --system restart --no-wait db
mkdir -p /etc/systemd/system/holdfast-up@db.service.d && printf '[Service]\nTimeoutStartSec=2s\n' >/etc/systemd/system/holdfast-up@db.service.d/patience.conf && systemctl daemon-reload
! systemctl start report && test $(systemctl show -p Result --value holdfast-up@db) = timeout`)
	})
}

const through443 = "nc -w2 127.0.0.1 443 </dev/null | grep -q ^SSH-2"

// ordered is a unit that can start when a tunnel's port works, and is ordered after the tunnel.
func ordered(tunnel, command, wantedBy string) string {
	return strings.NewReplacer("TUNNEL", tunnel, "COMMAND", command, "WANTED", wantedBy).Replace(`[Unit]
Requires=holdfast-up@TUNNEL.service
After=holdfast-up@TUNNEL.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'COMMAND'
[Install]
WantedBy=WANTED
`)
}

// write writes a file in the machine, for everybody to read.
func (m machine) write(path, text string) {
	m.Helper()
	from := filepath.Join(scratch, filepath.Base(path))
	if err := os.WriteFile(from, []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
	m.root("install -D -m 644 " + from + " " + path)
}

// since is when something became of a unit, in µs since the boot.
func (m machine) since(who, systemctl, unit, what string) int {
	m.Helper()
	text := m.must(who, "bash", "-c", systemctl+" show -p "+what+"TimestampMonotonic --value "+unit)
	at, err := strconv.Atoi(text)
	if err != nil || at == 0 {
		m.Fatalf("%s of %s is %q", what, unit, text)
	}
	return at
}
