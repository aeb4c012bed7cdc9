//go:build testbed

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestExposureOfSystem: what a tunnel of the machine may do, and that it works so over both
// transports, with a unix socket, a ProxyCommand, and a command that is run when it is up.
func TestExposureOfSystem(t *testing.T) {
	testbed.NeedRootBox(t)
	m := newMachine(t)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester"})
	m.alias("/root", "server", server)
	dir := testbed.SocketDir(t)
	for name, extra := range map[string]string{
		"native":  "Transport=native\nLocalForward=" + filepath.Join(dir, "s") + " " + echo + "\n",
		"openssh": "Transport=openssh\n",
		"command": "[SSH]\nProxyCommand=bash -c 'exec 3<>/dev/tcp/" + server.Host + "/%p; cat <&3 & cat >&3'\n",
		"hook":    "ExecUp=touch /run/holdfast/up\n",
	} {
		t.Run(name, func(t *testing.T) {
			local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
			text := "[Tunnel]\nDestination=server\nLocalForward=" + local + " " + echo + "\n" + extra
			if err := os.WriteFile("/etc/holdfast/system/"+name+".tunnel", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			m.holdfast(t, "up", name)
			testbed.CheckEcho(t, dial(t, local), 1<<16, 20*time.Second)
			exposure(t, 2.5, tunnelfile.ServiceName(name))
			m.holdfast(t, "down", name)
		})
	}
}

// TestInstalledAgain: what uninstall and install leave of the machine's folder is not taken
// from a daemon that still looks at the folder of before.
func TestInstalledAgain(t *testing.T) {
	testbed.NeedRootBox(t)
	m := newMachine(t)
	m.holdfast(t, "add", "--manual", "first", "-L", "1234:localhost:1", "me@server")
	m.holdfast(t, "remove", "first")
	testbed.Command(t, "../../packaging/uninstall", "/usr/local")
	if got := m.show("holdfastd.service", "ActiveState"); got != "inactive" {
		t.Errorf("after uninstall the daemon is %s", got)
	}
	testbed.Command(t, "../../packaging/install", "/usr/local")
	testbed.Command(t, "systemctl", "daemon-reload")
	testbed.Command(t, "systemctl", "reload", "dbus")
	m.holdfast(t, "add", "--manual", "second", "-L", "1234:localhost:1", "me@server")
	if out := m.holdfast(t, "list"); !strings.Contains(out, "second") {
		t.Errorf("list: %s", out)
	}
	m.holdfast(t, "remove", "second")
}
