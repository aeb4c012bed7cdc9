package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// flood moves bytes both ways until the test ends, and fails it if that ends before.
func flood(t *testing.T, addr string) {
	t.Helper()
	conn := dial(t, addr)
	var over atomic.Bool
	var copying sync.WaitGroup
	copying.Go(func() {
		buffer := make([]byte, 64<<10)
		for !over.Load() {
			if _, err := conn.Write(buffer); err != nil {
				if !over.Load() {
					t.Errorf("a stream was cut: %v", err)
				}
				return
			}
		}
	})
	copying.Go(func() { io.Copy(io.Discard, conn) })
	t.Cleanup(func() {
		over.Store(true)
		conn.Close()
		copying.Wait()
	})
}

// With auto there is one connection, another once a channel moves much, and what comes then does
// not wait behind it. Another number, and auto again, cut nothing.
func TestAutoGrowsAndIsReloaded(t *testing.T) {
	for _, transport := range []string{"native", "openssh"} {
		t.Run(transport, func(t *testing.T) {
			s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 2:100:2"}})
			addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
			p := newProgram(t, fileFor(s, line, "Connections=auto", "Transport="+transport))
			n := newNotifySocket(t)
			p.Start("NOTIFY_SOCKET=" + n.path)
			if r := p.UntilPooled(1); !strings.HasPrefix(r.Status, "1 forward") || strings.Contains(r.Status, "connection") {
				t.Errorf("says %q", r.Status)
			}
			flood(t, addr)
			if r := p.UntilPooled(2); !strings.HasPrefix(r.Status, "1 forward, 2 connections") {
				t.Errorf("says %q", r.Status)
			}
			if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
				t.Error(err)
			}
			for _, c := range []struct {
				connections string
				n           int
			}{{"4", 4}, {"auto", 4}, {"1", 1}, {"auto", 2}} {
				p.SetFile(fileFor(s, line, "Connections="+c.connections, "Transport="+transport))
				p.Signal(syscall.SIGHUP)
				p.UntilPooled(c.n)
			}
			if log := s.Log(); strings.Contains(log, "drop connection") {
				t.Errorf("logins were dropped:\n%s", log)
			}
			if len(n.said("STATUS=degraded")) > 0 {
				t.Error("it was degraded")
			}
		})
	}
}

// Where one connection is all that can be had the tunnel is up with it, and asks once.
func TestAutoWhereOneIsAllowed(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	door, asked := testbed.OneConnection(t, s.Addr)
	_, port, _ := net.SplitHostPort(door.String())
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Connections=auto", "SSH:Port="+port, "SSH:HostKeyAlias=["+s.Host+"]:"+itoa(s.Port)))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilPooled(1)
	flood(t, addr)
	p.Until("refused", func(r tunnelfile.Report) bool {
		return r.State == tunnelfile.Up && r.Connections == 1 && r.ConnectionsWanted == 1 && strings.Contains(r.Status, "no further one to be had")
	})
	testbed.CheckEcho(t, dial(t, addr), 64<<20, time.Minute) // while the load would want another
	if got := asked.Load(); got != 2 {
		t.Errorf("%d connections were asked for, want 2", got)
	}
	if len(n.said("STATUS=degraded")) > 0 {
		t.Error("it was degraded")
	}
}

// A person is not asked for a connection that nobody has asked for by number.
func TestAutoAsksNobody(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := t.TempDir()
	locked := testbed.NewKey(t, filepath.Join(dir, "locked"), "ed25519", "open sesame")
	s.Authorize(locked.AuthorizedKey())
	script, asked := filepath.Join(dir, "askpass"), filepath.Join(dir, "asked")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho asked >>"+asked+"\necho 'open sesame'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Connections=auto", "SSH:IdentityFile="+locked.File, "SSH:IdentityAgent=none"))
	p.Start("NOTIFY_SOCKET="+newNotifySocket(t).path, "SSH_ASKPASS="+script, "SSH_ASKPASS_REQUIRE=force")
	p.UntilPooled(1)
	flood(t, addr)
	p.Until("alone", func(r tunnelfile.Report) bool {
		return r.State == tunnelfile.Up && r.Connections == 1 && strings.Contains(r.Status, "no further one to be had")
	})
	if text, _ := os.ReadFile(asked); strings.Count(string(text), "asked") != 1 {
		t.Errorf("a person was asked so often: %q", text)
	}
	if got := s.Logins(); got != 1 {
		t.Errorf("%d logins", got)
	}
}
