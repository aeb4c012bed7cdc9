//go:build testbed

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// mainPID is the process of a unit, which must have one.
func mainPID(t *testing.T, unit string) int {
	t.Helper()
	pid, err := strconv.Atoi(property(unit, "MainPID"))
	if err != nil || pid <= 0 {
		t.Fatalf("%s has no process: %s", unit, property(unit, "ActiveState"))
	}
	return pid
}

// echoTunnel brings a tunnel up that leads to an echo server, and returns its local address.
func (d *desk) echoTunnel(t *testing.T, name, extra string) (s *testbed.Server, local string) {
	t.Helper()
	s = testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", s)
	local = fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write(name, "[Tunnel]\nDestination=server\nLocalForward="+local+" "+target+"\n"+extra)
	return s, local
}

// TestDaemonKilled: the tunnels are systemd's. A daemon that dies takes nothing with it.
func TestDaemonKilled(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "echo", "Start=manual\n")
	d.holdfast("up", "echo")
	worker := mainPID(t, tunnelfile.ServiceName("echo"))

	// Bytes flow slowly while it happens.
	conn := dial(t, local)
	defer conn.Close()
	flowing, stop := context.WithCancel(t.Context())
	flow := make(chan error, 1)
	trips := make(chan struct{}, 1)
	go func() {
		flow <- func() error {
			buffer := make([]byte, 1000)
			for flowing.Err() == nil {
				conn.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := conn.Write(buffer); err != nil {
					return err
				}
				if _, err := io.ReadFull(conn, buffer); err != nil {
					return err
				}
				select {
				case trips <- struct{}{}:
				default:
				}
			}
			return nil
		}()
	}()
	for range 3 {
		<-trips
		if err := syscall.Kill(mainPID(t, "holdfastd.service"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testbed.WaitFor(t, 10*time.Second, func() error {
			out, err := holdfast("status", "echo")
			if err != nil {
				return err
			}
			if !strings.Contains(out, "up") {
				return errors.New(out)
			}
			return nil
		})
	}
	stop()
	if err := <-flow; err != nil {
		t.Errorf("bytes stopped: %v", err)
	}
	if now := mainPID(t, tunnelfile.ServiceName("echo")); now != worker {
		t.Errorf("the worker was replaced: %d, then %d", worker, now)
	}
}

// TestWorkerKilled: systemd holds the port, so a client that comes in the gap is served.
func TestWorkerKilled(t *testing.T) {
	d := newDesk(t)
	s, local := d.echoTunnel(t, "echo", "Start=manual\n[Service]\nRestartSec=500ms\n")
	d.holdfast("up", "echo")
	for i := range 3 {
		pid := mainPID(t, tunnelfile.ServiceName("echo"))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// Dial at once, again and again, as long as the worker is away.
		start := time.Now()
		for n := range 5 {
			if err := testbed.EchoAt(local, 1<<20, 20*time.Second); err != nil {
				t.Fatalf("kill %d, client %d: %v", i, n, err)
			}
		}
		t.Logf("5 clients served within %v", time.Since(start).Round(time.Millisecond))
		d.awaitState("echo", tunnelfile.Up, 10*time.Second)
	}
	if s.Logins() != 4 {
		t.Errorf("%d logins at the server, want 4", s.Logins())
	}
}

// TestLinkCut: the server drops the connection; clients wait, and are served.
func TestLinkCut(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s, local := d.echoTunnel(t, "echo", "Start=manual\nRetryMax=1s\nTransport="+string(transport)+"\n")
		d.holdfast("up", "echo")
		testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
		s.Kill()
		d.awaitState("echo", tunnelfile.Retrying, 5*time.Second)
		testbed.WaitFor(t, 10*time.Second, func() error {
			if out, _ := holdfast("status", "echo"); !strings.Contains(out, "connection refused") {
				return fmt.Errorf("while the server is gone, status says: %s", out)
			}
			return nil
		})
		conn := dial(t, local)
		s.Start()
		testbed.CheckEcho(t, conn, 1<<20, 20*time.Second)
		d.awaitState("echo", tunnelfile.Up, 5*time.Second)
	})
}
