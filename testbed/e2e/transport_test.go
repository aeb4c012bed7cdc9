//go:build testbed

package e2e

import (
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

// TestHeldPort: a remote port that somebody else holds on the server makes a tunnel degraded, and
// is taken as soon as it is free.
func TestHeldPort(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s := testbed.StartServer(t, testbed.ServerOptions{})
		d.alias("server", s)
		holder, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer holder.Close()
		target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
		d.write("back", "[Tunnel]\nDestination=server\nStart=manual\nTransport="+string(transport)+"\nRemoteForward="+holder.Addr().String()+" "+target+"\n")
		d.holdfast("up", "--no-wait", "back")
		d.awaitState("back", tunnelfile.Degraded, 20*time.Second)
		out, _ := holdfast("status", "back")
		if !strings.Contains(out, holder.Addr().String()) {
			t.Errorf("status does not name the port:\n%s", out)
		}
		t.Logf("status:\n%s", out)
		logins := s.Logins()
		holder.Close()
		d.awaitState("back", tunnelfile.Up, 60*time.Second)
		testbed.CheckEcho(t, dial(t, holder.Addr().String()), 1<<20, 20*time.Second)
		if s.Logins() != logins {
			t.Error("the connection was given up for a port")
		}
	})
}

// TestRunningMaster: a tunnel uses a ControlMaster that the person runs, says so, and goes on by
// itself when that one ends.
func TestRunningMaster(t *testing.T) {
	d := newDesk(t)
	s, local := d.echoTunnel(t, "echo", "Start=manual\n")
	config := filepath.Join(person.Home, ".ssh/config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFile(config, string(text)+"  ControlPath ~/.ssh/cm-%C\n")
	theirs := exec.Command("ssh", "-M", "-N", "server")
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { theirs.Wait(); close(ended) }()
	defer func() { theirs.Process.Kill(); <-ended }()
	testbed.WaitFor(t, 10*time.Second, func() error { return exec.Command("ssh", "-O", "check", "server").Run() })

	d.holdfast("up", "echo")
	testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	out := d.holdfast("explain", "echo")
	if !strings.Contains(out, "openssh") || !strings.Contains(out, "a ControlMaster of yours runs at") {
		t.Errorf("explain does not say which transport it is, and why:\n%s", out)
	}
	if n := s.Logins(); n != 1 {
		t.Errorf("%d logins, want the person's own only", n)
	}
	theirs.Process.Signal(syscall.SIGTERM)
	<-ended
	testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	d.awaitState("echo", tunnelfile.Up, 10*time.Second)
	if n := s.Logins(); n != 2 {
		t.Errorf("%d logins, want one of the tunnel's own besides", n)
	}
	status := d.holdfast("status", "echo")
	if !strings.Contains(status, "native") {
		t.Errorf("status does not say that the transport is native now:\n%s", status)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if log := d.journal("holdfast-tunnel@echo"); !strings.Contains(log, "the ControlMaster of yours at ~/.ssh/cm-") || !strings.Contains(log, "has ended; the tunnel goes on without it") {
			return fmt.Errorf("the journal does not tell:\n%s", log)
		}
		return nil
	})
}

// TestListensAsConfigured: how a tunnel listens may also stand in ssh_config, of which the socket
// unit's maker and the worker must think the same.
func TestListensAsConfigured(t *testing.T) {
	d := newDesk(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	d.alias("server", s)
	config := filepath.Join(person.Home, ".ssh/config")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFile(filepath.Join(person.Home, ".ssh/listen"), "Match originalhost server\n GatewayPorts yes\n StreamLocalBindMask 0111\n")
	d.writeFile(config, "Include listen\n"+string(text))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	socket := filepath.Join(testbed.SocketDir(t), "s")
	port := testbed.FreePort(t)
	d.write("gateway", fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nLocalForward=%d %s\nLocalForward=%s %s\n", port, target, socket, target))
	d.write("private", fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nLocalForward=%d %s\n[SSH]\nGatewayPorts=no\n", testbed.FreePort(t), target))
	d.holdfast("up", "gateway")
	testbed.CheckEcho(t, dial(t, fmt.Sprintf("127.0.0.2:%d", port)), 1<<20, 20*time.Second)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the socket has mode %v, want 0666; %v", info.Mode(), err)
	}
	d.holdfast("up", "private")
	d.awaitState("private", tunnelfile.Up, 10*time.Second)
}

// TestForwardsAsConfigured: where the file names no forward, those of ssh_config are as good as
// its own: the socket unit has them, a connection to one starts an on-demand tunnel, and they
// outlive the worker.
func TestForwardsAsConfigured(t *testing.T) {
	overEach(t, func(t *testing.T, transport tunnelfile.Transport) {
		d := newDesk(t)
		s := testbed.StartServer(t, testbed.ServerOptions{})
		d.alias("server", s)
		config := filepath.Join(person.Home, ".ssh/config")
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
		local := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
		d.writeFile(config, fmt.Sprintf("%s  LocalForward %s %s\n", text, local, target))
		d.write("lazy", "[Tunnel]\nDestination=server\nStart=on-demand\nTransport="+string(transport)+"\n")
		d.holdfast("up", "lazy")
		d.awaitState("lazy", tunnelfile.Listening, 20*time.Second)
		if status, _ := holdfast("status", "lazy"); !strings.Contains(status, local) {
			t.Errorf("status does not say that it listens on %s:\n%s", local, status)
		}
		conn := dial(t, local)
		testbed.CheckEcho(t, conn, 1<<20, 20*time.Second)

		unit := tunnelfile.ServiceName("lazy")
		conn = dial(t, local) // keeps it from going idle
		defer conn.Close()
		if err := syscall.Kill(mainPID(t, unit), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	})
}
