//go:build testbed

package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestAutomaticConnections: with Connections=auto the unit has one SSH connection, another while a
// channel moves much, as many as a number says, and one after a restart; it is never degraded by
// that, and no login of it is dropped by a server that allows two at once.
func TestAutomaticConnections(t *testing.T) {
	d := newDesk(t)
	server := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 2:100:2"}})
	d.alias("server", server)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write("echo", "[Tunnel]\nDestination=server\nStart=manual\nConnections=auto\nLocalForward="+local+" "+target+"\n")
	shows := func(want string) {
		t.Helper()
		testbed.WaitFor(t, 30*time.Second, func() error {
			if out := d.holdfast("status", "echo"); !strings.Contains(out, want) {
				return fmt.Errorf("%q lacks %q", out, want)
			}
			return nil
		})
	}
	d.holdfast("up", "echo")
	shows("up: 1 forward, rtt")
	stream := dial(t, local)
	go func() {
		for buffer := make([]byte, 64<<10); ; {
			if _, err := stream.Write(buffer); err != nil {
				return
			}
		}
	}()
	go io.Copy(io.Discard, stream)
	shows("up: 1 forward, 2 connections")
	shows("2 of 2 connections, ")
	testbed.CheckEcho(t, dial(t, local), 1<<20, time.Minute)
	for _, c := range [][2]string{{"4", "4 connections"}, {"auto", "4 connections"}, {"1", "1 forward, rtt"}, {"auto", "2 connections"}} {
		d.holdfast("set", "echo", "Connections="+c[0])
		shows("up: 1 forward, " + strings.TrimPrefix(c[1], "1 forward, "))
	}
	if out := d.holdfast("explain", "echo"); !strings.Contains(out, "auto") {
		t.Errorf("explain does not say auto:\n%s", out)
	}
	stream.Close()
	d.holdfast("restart", "echo")
	shows("up: 1 forward, rtt")
	if log := d.journal("holdfast-tunnel@echo"); strings.Contains(log, "degraded") {
		t.Errorf("it was degraded:\n%s", log)
	}
	if log := server.Log(); strings.Contains(log, "drop connection") {
		t.Errorf("logins were dropped:\n%s", log)
	}
}

// TestOneConnectionAllowed: behind a door that lets one connection in the tunnel is up with it,
// says so, and does not knock again.
func TestOneConnectionAllowed(t *testing.T) {
	d := newDesk(t)
	server := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", server)
	door, asked := testbed.OneConnection(t, server.Addr)
	local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write("echo", "[Tunnel]\nDestination=server\nStart=manual\nConnections=auto\nLocalForward="+local+" "+target+
		fmt.Sprintf("\n[SSH]\nPort=%d\nHostKeyAlias=[%s]:%d\n", door.(*net.TCPAddr).Port, server.Host, server.Port))
	d.holdfast("up", "echo")
	testbed.CheckEcho(t, dial(t, local), 64<<20, time.Minute)
	testbed.WaitFor(t, 30*time.Second, func() error {
		if out := d.holdfast("status", "echo"); !strings.Contains(out, "1 connection, no further one to be had") {
			return fmt.Errorf("%q", out)
		}
		return nil
	})
	testbed.CheckEcho(t, dial(t, local), 64<<20, time.Minute)
	if n := asked.Load(); n != 2 {
		t.Errorf("%d connections were asked for, want 2", n)
	}
	if log := d.journal("holdfast-tunnel@echo"); strings.Contains(log, "degraded") {
		t.Errorf("it was degraded:\n%s", log)
	}
}
