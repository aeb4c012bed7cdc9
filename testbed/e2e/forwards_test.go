//go:build testbed

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const bulk = 100 << 20 // bytes sent through each forward

// TestAddAndUp is the first minute of a new user.
func TestAddAndUp(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", s)
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	local := testbed.FreePort(t)

	out := d.holdfast("add", "--manual", "echo", "-L", fmt.Sprintf("%d:localhost:%d", local, target), "-N", s.User+"@server")
	t.Logf("add:\n%s", out)
	t.Logf("list:\n%s", d.holdfast("list"))
	t.Logf("up:\n%s", d.holdfast("up", "echo"))
	for _, address := range []string{"127.0.0.1", "::1"} {
		if err := testbed.EchoAt(net.JoinHostPort(address, fmt.Sprint(local)), bulk, time.Minute); err != nil {
			t.Fatal(err)
		}
	}

	status := d.holdfast("status", "echo")
	t.Logf("status:\n%s", status)
	for _, want := range []string{"up", s.User + "@server", fmt.Sprint(local), fmt.Sprint(target)} {
		if !strings.Contains(status, want) {
			t.Errorf("status does not say %q", want)
		}
	}
	t.Logf("show:\n%s", d.holdfast("show", "echo"))
	t.Logf("restart:\n%s", d.holdfast("restart", "echo"))
	t.Logf("reconnect:\n%s", d.holdfast("reconnect", "echo"))
	t.Logf("down:\n%s", d.holdfast("down", "echo"))
	if status, err := holdfast("status", "echo"); exitStatus(err) != 4 {
		t.Errorf("status of a tunnel that is down exits %d, want 4:\n%s", exitStatus(err), status)
	}
	d.holdfast("remove", "echo")
	if _, err := holdfast("status", "echo"); exitStatus(err) != 3 {
		t.Errorf("status of no such tunnel exits %d, want 3", exitStatus(err))
	}
	if exists(filepath.Join(d.config, "echo.tunnel")) {
		t.Error("remove left the file")
	}
}

// overEach runs a test over each transport.
func overEach(t *testing.T, f func(*testing.T, tunnelfile.Transport)) {
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		t.Run(string(transport), func(t *testing.T) { f(t, transport) })
	}
}

// TestForwards sends bytes through every kind of forward, all of one tunnel.
func TestForwards(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"StreamLocalBindUnlink yes"}})
		d.alias("server", s)
		dir := testbed.SocketDir(t)
		socket := func(name string) string { return filepath.Join(dir, name) }
		port := func() string { return fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t)) }
		tcp := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
		unix := testbed.Echo(t, "unix", socket("target")).String()
		direct := func(network, address string) func() (net.Conn, error) {
			return func() (net.Conn, error) { return net.DialTimeout(network, address, 10*time.Second) }
		}
		socks := func(version, network, address string) func() (net.Conn, error) {
			return func() (net.Conn, error) {
				conn, err := direct(network, address)()
				if err == nil {
					err = testbed.AskSOCKS(conn, version, tcp)
				}
				return conn, err
			}
		}
		l1, l2, r1, r2, dyn, rsocks := port(), port(), port(), port(), port(), port()
		kinds := []struct {
			name, line string // no line: that of the kind before serves too
			dial       func() (net.Conn, error)
		}{
			{"local TCP to TCP", "LocalForward=" + l1 + " " + tcp, direct("tcp", l1)},
			{"local TCP to unix", "LocalForward=" + l2 + ":" + unix, direct("tcp", l2)},
			{"local unix to TCP", "LocalForward=" + socket("l3") + " " + tcp, direct("unix", socket("l3"))},
			{"local unix to unix", "LocalForward=" + socket("l4") + ":" + unix, direct("unix", socket("l4"))},
			{"remote TCP to TCP", "RemoteForward=" + r1 + " " + tcp, direct("tcp", r1)},
			{"remote TCP to unix", "RemoteForward=" + r2 + " " + unix, direct("tcp", r2)},
			{"remote unix to TCP", "RemoteForward=" + socket("r3") + " " + tcp, direct("unix", socket("r3"))},
			{"remote unix to unix", "RemoteForward=" + socket("r4") + ":" + unix, direct("unix", socket("r4"))},
			{"dynamic, SOCKS5", "DynamicForward=" + dyn, socks("5", "tcp", dyn)},
			{"dynamic, SOCKS5 by name", "", socks("5h", "tcp", dyn)},
			{"dynamic, SOCKS4", "", socks("4", "tcp", dyn)},
			{"dynamic unix, SOCKS4a", "DynamicForward=" + socket("d1"), socks("4a", "unix", socket("d1"))},
			{"reverse SOCKS5", "RemoteForward=" + rsocks, socks("5", "tcp", rsocks)},
			{"reverse unix, SOCKS4a", "RemoteForward=" + socket("r5"), socks("4a", "unix", socket("r5"))},
		}
		text := "[Tunnel]\nDestination=server\nStart=manual\nTransport=" + string(transport) + "\n"
		for _, k := range kinds {
			text += k.line + "\n"
		}
		d.write("all", text)
		d.holdfast("up", "all")
		for _, k := range kinds {
			t.Run(k.name, func(t *testing.T) {
				conn, err := k.dial()
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				testbed.CheckEcho(t, conn, bulk, time.Minute)
				t.Logf("%d MiB in %v", bulk>>20, time.Since(start).Round(time.Millisecond))
			})
		}
		for _, name := range []string{"l3", "l4", "d1"} {
			if info, err := os.Stat(socket(name)); err != nil {
				t.Error(err)
			} else if info.Mode().Perm() != 0o600 {
				t.Errorf("local socket has mode %v, want 0600", info.Mode())
			}
		}
		status := d.holdfast("status", "all")
		t.Logf("status:\n%s", status)
		if !strings.Contains(status, string(transport)) {
			t.Errorf("status does not say that the transport is %s", transport)
		}
		d.awaitState("all", tunnelfile.Up, 20*time.Second)

		d.holdfast("down", "all")
		for _, k := range kinds {
			if conn, err := k.dial(); err == nil {
				conn.Close()
				t.Errorf("%s still listens when the tunnel is down", k.name)
			}
		}
		for _, name := range []string{"l3", "l4", "d1"} {
			if exists(socket(name)) {
				t.Errorf("local socket %s was left", name)
			}
		}
	})
}
