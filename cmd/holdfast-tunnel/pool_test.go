package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// UntilPooled waits until so many connections are up, and all that are wanted.
func (p *process) UntilPooled(n int) tunnelfile.Report {
	p.t.Helper()
	return p.Until(fmt.Sprintf("%d connections", n), func(r tunnelfile.Report) bool {
		return r.State == tunnelfile.Up && r.Connections == n && r.ConnectionsWanted == n
	})
}

// One of four connections is killed: two of eight streams die, the others lose no byte, new
// ones are served meanwhile, and the fourth comes back.
func TestOneOfSeveralKilled(t *testing.T) {
	for _, transport := range []string{"native", "openssh"} {
		t.Run(transport, func(t *testing.T) {
			s := testbed.StartServer(t, testbed.ServerOptions{})
			addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
			p := newProgram(t, fileFor(s, line, "Connections=4", "GateTime=0", "Transport="+transport))
			n := newNotifySocket(t)
			p.Start("NOTIFY_SOCKET=" + n.path)
			r := p.UntilPooled(4)
			if !strings.HasPrefix(r.Status, "1 forward, 4 connections") {
				t.Errorf("says %q", r.Status)
			}
			if got := s.Logins(); got != 4 {
				t.Errorf("%d logins, want 4", got)
			}
			var conns []net.Conn
			for range 8 {
				conn := dial(t, addr)
				defer conn.Close()
				conns = append(conns, conn)
				conn.SetDeadline(time.Now().Add(time.Minute))
				conn.Write([]byte("x"))
				if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			s.KillSession(syscall.SIGKILL)
			if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
				t.Errorf("a new connection meanwhile: %v", err)
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			died := 0
			for _, conn := range conns {
				wg.Go(func() {
					if err := testbed.EchoThrough(conn, 8<<20, time.Minute); err != nil {
						mu.Lock()
						died++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if died != 2 {
				t.Errorf("%d of 8 streams died with one of 4 connections", died)
			}
			n.until(t, "STATUS=degraded [connections]: 3 of 4 connections, ", 1)
			r = p.UntilPooled(4)
			if r.Reconnects != 1 || s.Logins() != 5 {
				t.Errorf("%d reconnects, %d logins", r.Reconnects, s.Logins())
			}
			p.Signal(syscall.SIGTERM)
			p.Ends(0)
		})
	}
}

// While one connection hangs, what comes goes over the other at once, and it is replaced.
func TestOneOfSeveralHangs(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Connections=2"))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilPooled(2)
	s.KillSession(syscall.SIGSTOP)
	defer s.KillSessions(syscall.SIGCONT)
	go testbed.EchoAt(addr, 1000, time.Minute) // one of these two meets the hung one
	go testbed.EchoAt(addr, 1000, time.Minute)
	n.until(t, "STATUS=degraded [connections]: 1 of 2 connections, the server does not answer", 1)
	p.Until("replaced", func(r tunnelfile.Report) bool { return r.Connections == 2 && r.Reconnects == 1 })
	if err := testbed.EchoAt(addr, 1000, 5*time.Second); err != nil {
		t.Error(err)
	}
}

// A server that allows two logins at once drops none of ours, at the start and when it comes back.
func TestSeveralDoNotStampede(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 2:100:2"}})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Connections=8", "GateTime=0"))
	p.Start()
	p.UntilPooled(8)
	s.Stop()
	p.Until("all lost", func(r tunnelfile.Report) bool { return r.Connections == 0 && r.State == tunnelfile.Retrying })
	waiting := make(chan error, 1)
	go func() { waiting <- testbed.EchoAt(addr, 1000, time.Minute) }()
	s.Start()
	if err := <-waiting; err != nil {
		t.Errorf("a connection made meanwhile: %v", err)
	}
	p.UntilPooled(8)
	s.KillSessions(syscall.SIGKILL) // now it is there when all are lost at once
	p.Until("all back", func(r tunnelfile.Report) bool { return r.Connections == 8 && r.Reconnects == 16 })
	if log := s.Log(); strings.Contains(log, "drop connection") || strings.Contains(log, "MaxStartups") {
		t.Errorf("logins were dropped:\n%s", log)
	}
	if got := s.Logins(); got != 24 {
		t.Errorf("%d logins, want 3 times 8", got)
	}
}

// A remote forward moves to another connection when its own is lost.
func TestRemoteForwardOfSeveral(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	p := newProgram(t, fileFor(s, "RemoteForward="+there+" "+testbed.Echo(t, "tcp", "127.0.0.1:0").String(), "Connections=2", "GateTime=0"))
	p.Start()
	for i := range uint64(4) {
		p.Until("both up", func(r tunnelfile.Report) bool { return r.Connections == 2 && r.Reconnects == i })
		untilUsable(t, there, 20*time.Second)
		s.KillSession(syscall.SIGKILL)
	}
	untilUsable(t, there, 20*time.Second)
}

// Another number in the file is in force at once: more are made beside what runs, and those
// that are too many end with their last channel.
func TestConnectionsChange(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilPooled(1)
	if r, _ := p.Report(); strings.Contains(r.Status, "connection") {
		t.Errorf("says %q of one connection", r.Status)
	}
	set := func(connections string) {
		p.SetFile(fileFor(s, line, connections))
		p.Signal(syscall.SIGHUP)
	}
	var conns []net.Conn
	talk := func() {
		t.Helper()
		for i, conn := range conns {
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			conn.Write([]byte("x"))
			if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
				t.Fatalf("connection %d of %d: %v", i+1, len(conns), err)
			}
		}
	}
	more := func(number int) {
		t.Helper()
		for range number {
			conn := dial(t, addr)
			t.Cleanup(func() { conn.Close() })
			conns = append(conns, conn)
		}
		talk()
	}
	more(1)
	set("Connections=3")
	p.UntilPooled(3)
	more(5)
	set("Connections=1")
	p.UntilPooled(1)
	more(1)
	if got := len(s.SessionPIDs()); got < 3 {
		t.Errorf("%d sessions while channels run over three", got)
	}
	for _, conn := range conns {
		if err := testbed.EchoThrough(conn, 1<<20, 20*time.Second); err != nil {
			t.Error(err)
		}
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if open := s.Logins() - strings.Count(s.Log(), "Closing connection to "); open != 1 {
			return fmt.Errorf("%d connections, want 1", open)
		}
		return nil
	})
	set("Connections=2")
	p.UntilPooled(2)
	if bad := n.said("STATUS=degraded"); len(bad) > 0 {
		t.Errorf("told %q", bad)
	}
	if r, _ := p.Report(); r.Reconnects != 0 {
		t.Errorf("%d reconnects", r.Reconnects)
	}
}

// Each is renewed before it is let go, and the forwards are up all the while.
func TestReconnectOfSeveral(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 2:100:2"}})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Connections=6"))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilPooled(6)
	ended := make(chan error)
	go func() { ended <- testbed.EchoAt(addr, 1000, time.Minute) }()
	p.Signal(syscall.Signal(35))
	p.Until("all renewed", func(r tunnelfile.Report) bool { return r.Connections == 6 && r.Reconnects == 6 })
	if err := <-ended; err != nil {
		t.Error(err)
	}
	p.SetFile(fileFor(s, line, "Connections=6", "SSH:Compression=no"))
	p.Signal(syscall.SIGHUP)
	p.Until("all renewed", func(r tunnelfile.Report) bool { return r.Connections == 6 && r.Reconnects == 12 })
	if strings.Contains(s.Log(), "drop connection") {
		t.Errorf("logins were dropped:\n%s", s.Log())
	}
	for _, l := range n.said("STATUS=") {
		if !strings.HasPrefix(l, "STATUS=up") && !strings.HasPrefix(l, "STATUS=connecting") {
			t.Errorf("told %q", l)
		}
	}
}

// A person is asked once for what all need, and a refusal is met once.
func TestPersonIsAskedOnceForSeveral(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := t.TempDir()
	locked := testbed.NewKey(t, filepath.Join(dir, "locked"), "ed25519", "open sesame")
	script, asked := filepath.Join(dir, "askpass"), filepath.Join(dir, "asked")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho asked >>"+asked+"\necho 'open sesame'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	questions := func() int {
		text, _ := os.ReadFile(asked)
		return strings.Count(string(text), "asked")
	}
	p := newProgram(t, fileFor(s, "Connections=3", "SSH:IdentityFile="+locked.File, "SSH:IdentityAgent=none"))
	p.Start("NOTIFY_SOCKET="+newNotifySocket(t).path, "SSH_ASKPASS="+script, "SSH_ASKPASS_REQUIRE=force")
	p.UntilState(tunnelfile.Blocked)
	if got := s.Attempts(); got != 1 {
		t.Errorf("%d attempts were refused, want one", got)
	}
	before := questions()
	s.Authorize(locked.AuthorizedKey())
	p.Signal(syscall.Signal(35))
	p.UntilPooled(3)
	if got := questions() - before; got != 1 {
		t.Errorf("asked %d times", got)
	}
}

// What belongs to the tunnel happens with it, and not with each connection.
func TestHooksOfSeveral(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"SetEnv HOME=/nonexistent"}})
	events := filepath.Join(t.TempDir(), "events")
	script := filepath.Join(t.TempDir(), "event")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$1\" >>"+events+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, fileFor(s, "Connections=3", "GateTime=0", "ExecUp="+script+" up", "ExecDown="+script+" down", "SSH:RemoteCommand=echo begun; sleep 1000"))
	begun := func(times int) {
		t.Helper()
		testbed.WaitFor(t, 10*time.Second, func() error {
			if got := strings.Count(p.Log(), "begun"); got != times {
				return fmt.Errorf("RemoteCommand has begun %d times, want %d", got, times)
			}
			return nil
		})
	}
	p.Start()
	p.UntilPooled(3)
	begun(1)
	s.KillSession(syscall.SIGKILL)
	p.Until("back", func(r tunnelfile.Report) bool { return r.Connections == 3 && r.Reconnects == 1 })
	happened := func(want string) {
		t.Helper()
		testbed.WaitFor(t, 10*time.Second, func() error {
			if got, _ := os.ReadFile(events); string(got) != want {
				return fmt.Errorf("%q, want %q", got, want)
			}
			return nil
		})
	}
	happened("up\n")
	begun(2) // on the first connection, and it was the oldest that was killed
	s.Stop()
	happened("up\ndown\n")
	s.Start()
	p.Signal(syscall.SIGUSR1)
	p.UntilPooled(3)
	happened("up\ndown\nup\n")
	begun(3)
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	happened("up\ndown\nup\ndown\n")
}

// On demand all of them go with the last channel.
func TestOnDemandOfSeveral(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	p := newProgram(t, fileFor(s, "LocalForward="+l.Addr().String()+" "+echo, "Connections=3", "Start=on-demand", "IdleTimeout=1s"))
	conn := dial(t, l.Addr().String())
	startWithListener(t, p, l)
	p.UntilPooled(3)
	testbed.CheckEcho(t, conn, 1<<20, 30*time.Second)
	p.Ends(0)
	testbed.WaitFor(t, 10*time.Second, func() error {
		if pids := s.SessionPIDs(); len(pids) > 0 {
			return fmt.Errorf("sessions left: %v", pids)
		}
		return nil
	})
}
