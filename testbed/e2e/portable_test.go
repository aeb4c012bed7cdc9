//go:build testbed

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// elsewhere are the ports and sockets of a tunnel that runs without Holdfast.
type elsewhere struct {
	*testing.T
	local, socket, socks, remote string
	echo                         string
}

// newElsewhere writes the tunnel file, with every kind of forward and a socket with a name that
// everybody takes for something else.
func newElsewhere(t *testing.T, d *desk, s *testbed.Server, more string) elsewhere {
	dir := testbed.SocketDir(t)
	e := elsewhere{
		T: t, echo: testbed.Echo(t, "tcp", "127.0.0.1:0").String(),
		local: fmt.Sprintf("[::1]:%d", testbed.FreePort(t)), socks: fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)),
		socket: filepath.Join(dir, "it's 100% $HOME"), remote: fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)),
	}
	var text strings.Builder
	fmt.Fprintf(&text, "[Tunnel]\nDestination=%s\nStart=manual\nLocalForward=%s %s\nLocalForward=\"%s\" %s\nDynamicForward=%s\nRemoteForward=%s %s\n\n[SSH]\n",
		s.Destination(), e.local, e.echo, e.socket, e.echo, e.socks, e.remote, e.echo)
	for _, setting := range s.SSHSettings() {
		fmt.Fprintln(&text, setting)
	}
	d.write("away", text.String()+more)
	return e
}

// carries waits until all of its forwards carry bytes.
func (e elsewhere) carries() {
	e.Helper()
	dial := map[string]func() (net.Conn, error){
		"LocalForward":           func() (net.Conn, error) { return net.Dial("tcp", e.local) },
		"LocalForward, a socket": func() (net.Conn, error) { return net.Dial("unix", e.socket) },
		"DynamicForward":         func() (net.Conn, error) { return testbed.DialSOCKS("tcp", e.socks, e.echo) },
		"RemoteForward":          func() (net.Conn, error) { return net.Dial("tcp", e.remote) },
	}
	for name, dial := range dial {
		testbed.WaitFor(e, 30*time.Second, func() error {
			conn, err := dial()
			if err == nil {
				err = testbed.EchoThrough(conn, 1<<20, 20*time.Second)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			return err
		})
	}
}

// TestExportedCommand has a shell run what export prints for ssh and for autossh.
func TestExportedCommand(t *testing.T) {
	testbed.Need(t, "autossh")
	for _, format := range []string{"ssh", "autossh"} {
		t.Run(format, func(t *testing.T) {
			d := newDesk(t)
			e := newElsewhere(t, d, testbed.StartServer(t, testbed.ServerOptions{}), "")
			line := d.holdfast("export", "away", "--format="+format)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := exec.CommandContext(ctx, "sh", "-c", "exec env "+line)
			cmd.Stderr = os.Stderr
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // autossh ends its ssh on it
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			e.carries()
			cancel()
			_ = cmd.Wait() // ended by the signal
		})
	}
}

// userUnit writes a unit of the person's, and takes it away with the test.
func (d *desk) userUnit(name, text string) string {
	d.Helper()
	path := filepath.Join(person.Home, ".config/systemd/user", name)
	d.writeFile(path, text)
	d.Cleanup(func() {
		as("systemctl", "--user", "disable", "--now", name)
		os.Remove(path)
		as("systemctl", "--user", "daemon-reload")
	})
	if _, err := as("systemctl", "--user", "daemon-reload"); err != nil {
		d.Fatal(err)
	}
	return path
}

// TestExportedUnit has systemd run what export prints for it, and import make the same tunnel of it.
func TestExportedUnit(t *testing.T) {
	d := newDesk(t)
	e := newElsewhere(t, d, testbed.StartServer(t, testbed.ServerOptions{}), "\n[Unit]\nStartLimitBurst=9\n\n[Service]\nMemoryMax=200M\nEnvironment=\"A=100%% b\"\n")
	unit := d.userUnit("exported.service", d.holdfast("export", "away", "--format=systemd"))
	if out, err := as("systemd-analyze", "--user", "verify", unit); err != nil || strings.Contains(out, "exported.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if _, err := as("systemctl", "--user", "start", "exported.service"); err != nil {
		t.Fatal(err)
	}
	e.carries()
	// What dies comes back.
	if _, err := as("systemctl", "--user", "kill", "--signal=KILL", "exported.service"); err != nil {
		t.Fatal(err)
	}
	e.carries()
	for key, want := range map[string]string{"MemoryMax": "209715200", "Restart": "always", "Environment": `"A=100% b"`} {
		if got := property("exported.service", key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	if _, err := as("systemctl", "--user", "stop", "exported.service"); err != nil {
		t.Fatal(err)
	}

	out := d.holdfast("import", "--yes", unit)
	t.Log(out)
	if strings.Contains(out, "not carried over") {
		t.Error("something is not carried over")
	}
	d.holdfast("up", "exported")
	e.carries()
}

// TestImportedAutossh takes over an autossh unit of the shape that people copy from one another,
// while it runs: once it is out of the way, the tunnel has its port.
func TestImportedAutossh(t *testing.T) {
	testbed.Need(t, "autossh")
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("dbhost", s)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	local := testbed.FreePort(t)
	d.userUnit("autossh-db.service", fmt.Sprintf(`[Unit]
Description=AutoSSH tunnel to the database
After=network-online.target

[Service]
Environment="AUTOSSH_GATETIME=0"
ExecStart=/usr/bin/autossh -M 0 -N -q \
    -o "ServerAliveInterval 60" -o "ServerAliveCountMax 3" -o "ExitOnForwardFailure yes" \
    -i %%h/.ssh/none -L %d:localhost:%d %s@dbhost
Restart=always
RestartSec=60

[Install]
WantedBy=default.target
`, local, echo, s.User))
	if _, err := as("systemctl", "--user", "enable", "--now", "autossh-db.service"); err != nil {
		t.Fatal(err)
	}
	carries := func() {
		t.Helper()
		testbed.WaitFor(t, 30*time.Second, func() error {
			return testbed.EchoAt(fmt.Sprintf("localhost:%d", local), 1<<20, 20*time.Second)
		})
	}
	carries()

	preview := d.holdfast("import")
	t.Log(preview)
	for _, want := range []string{"autossh-db from ~/.config/systemd/user/autossh-db.service:7", "Start=auto", "not carried over: RestartSec=60", "afterwards: systemctl --user disable --now autossh-db.service"} {
		if !strings.Contains(preview, want) {
			t.Errorf("the preview does not say %q", want)
		}
	}
	if exists(filepath.Join(d.config, "autossh-db.tunnel")) {
		t.Fatal("written without a yes")
	}
	d.holdfast("import", "--yes")
	carries() // the old one still does
	if _, err := as("systemctl", "--user", "disable", "--now", "autossh-db.service"); err != nil {
		t.Fatal(err)
	}
	d.awaitState("autossh-db", tunnelfile.Up, time.Minute)
	carries()
	if out := d.holdfast("import", "--yes"); !strings.Contains(out, "autossh-db exists already") {
		t.Errorf("imported again: %s", out)
	}
}
