package main

import (
	"fmt"
	"io"
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

func TestNotify(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	_, line := local(t, "127.0.0.1:1")
	p := newProgram(t, fileFor(s, line))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET="+n.path, "WATCHDOG_USEC=400000")
	n.until(t, "READY=1", 1)
	n.until(t, "WATCHDOG=1", 3)
	status := n.said("STATUS=")
	if last := status[len(status)-1]; !strings.HasPrefix(last, "STATUS=up: 1 forward") {
		t.Errorf("status %q", status)
	}

	p.Signal(syscall.SIGHUP)
	n.until(t, "RELOADING=1", 1)
	n.until(t, "MONOTONIC_USEC=", 1)
	n.until(t, "READY=1", 2)

	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	n.until(t, "STOPPING=1", 1)
	if said := n.said("STATUS="); said[len(said)-1] != "STATUS=stopping" {
		t.Errorf("last status %q", said)
	}
}

func TestStatusIsQuietWhenIdle(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	p := newProgram(t, fileFor(s, "SSH:ServerAliveInterval=1"))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET="+n.path, "WATCHDOG_USEC=2000000")
	n.until(t, "WATCHDOG=1", 4) // four seconds, with as many keepalives
	if said := n.said("STATUS="); len(said) > 6 {
		t.Errorf("an idle tunnel said %d things: %q", len(said), said)
	}
}

func TestReadyWaitsForEveryForward(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	orphan, err := net.Listen("tcp", there)
	if err != nil {
		t.Fatal(err)
	}
	defer orphan.Close()
	p := newProgram(t, fileFor(s, "RemoteForward="+there+" 127.0.0.1:1"))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "STATUS=degraded [remote-listen]: RemoteForward", 1)
	if len(n.said("READY=1")) > 0 {
		t.Error("ready before the remote port is bound")
	}
	orphan.Close()
	n.until(t, "READY=1", 1)
}

func TestBlockedStatusStays(t *testing.T) {
	p := newProgram(t, "[Tunnel]\nDestinaton=x\n")
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.Ends(78)
	if said := n.until(t, "STATUS=blocked [settings]: ", 1); !strings.Contains(said[0], "Destinaton") {
		t.Errorf("status %q", said)
	}
}

func TestReload(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	first, firstLine := local(t, echo)
	second, secondLine := local(t, echo)
	p := newProgram(t, fileFor(s, firstLine))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilState(tunnelfile.Up)
	open := dial(t, first)
	defer open.Close()
	talk := func() error {
		open.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := open.Write([]byte("x")); err != nil {
			return err
		}
		_, err := io.ReadFull(open, make([]byte, 1))
		return err
	}
	if err := talk(); err != nil {
		t.Fatal(err)
	}

	p.SetFile(fileFor(s, firstLine, secondLine))
	p.Signal(syscall.SIGHUP)
	p.Until("two forwards", func(r tunnelfile.Report) bool { return len(r.Forwards) == 2 && r.State == tunnelfile.Up })
	if err := testbed.EchoAt(second, 1000, 10*time.Second); err != nil {
		t.Errorf("the forward that was added: %v", err)
	}
	n.until(t, "FDSTORE=1", 1)
	stored := n.storedListener(t)
	if stored.Addr().String() != second {
		t.Errorf("stored the listener on %s, want %s", stored.Addr(), second)
	}
	stored.Close()
	r := p.Until("no new connection for it", func(r tunnelfile.Report) bool { return r.Reconnects == 0 })
	before := r.Settings

	p.SetFile("[Tunnel]\nDestinaton=x\n")
	p.Signal(syscall.SIGHUP)
	r = p.Until("told", func(r tunnelfile.Report) bool { return strings.Contains(r.Status, "not in force") })
	if r.Settings != before || len(r.Forwards) != 2 || r.State != tunnelfile.Up {
		t.Errorf("a broken file changed something: %+v", r)
	}

	p.SetFile(fileFor(s, firstLine, "SSH:Compression=no"))
	p.Signal(syscall.SIGHUP)
	r = p.Until("made anew", func(r tunnelfile.Report) bool {
		return r.Reconnects == 1 && len(r.Forwards) == 1 && !strings.Contains(r.Status, "not in force")
	})
	if r.Settings == before {
		t.Error("the settings in force are said to be the old ones")
	}
	n.until(t, "FDSTOREREMOVE=1", 1)
	if err := testbed.NotListening("tcp", second); err != nil {
		t.Errorf("the forward that was dropped: %v", err)
	}
	if err := talk(); err != nil {
		t.Errorf("an open connection did not survive: %v", err)
	}
}

// startWithListener starts the program as a service manager does that listens for it.
func startWithListener(t *testing.T, p *process, l net.Listener, env ...string) {
	t.Helper()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := p.command(append(env, "LISTEN_FDS=1", "LISTEN_FDNAMES=holdfast"), p.Path)
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`}, cmd.Args...)
	cmd.Path, err = exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{f}
	p.StartCommand(cmd)
}

func TestOnDemandEndsWhenIdle(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	p := newProgram(t, fileFor(s, "LocalForward="+l.Addr().String()+" "+echo, "Start=on-demand", "IdleTimeout=1s"))
	for range 2 { // the second connection starts it again
		conn := dial(t, l.Addr().String())
		startWithListener(t, p, l)
		begun := time.Now()
		testbed.CheckEcho(t, conn, 1<<20, 30*time.Second)
		ended := time.Now()
		p.Ends(0)
		if time.Since(begun) < time.Second || time.Since(ended) > 5*time.Second {
			t.Errorf("ended %v after its last connection, want 1 s", time.Since(ended))
		}
	}
}

func TestDrain(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	for _, c := range []struct {
		what    string
		finish  bool
		timeout time.Duration
	}{{"ends with its last connection", true, time.Minute}, {"cuts what does not end in time", false, 2 * time.Second}} {
		t.Run(c.what, func(t *testing.T) {
			p := newProgram(t, fileFor(s, line, fmt.Sprintf("Service:TimeoutStopSec=%v", c.timeout.Seconds())))
			p.Start()
			p.UntilState(tunnelfile.Up)
			conn := dial(t, addr)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			one := make([]byte, 1)
			conn.Write([]byte("x"))
			if _, err := io.ReadFull(conn, one); err != nil {
				t.Fatal(err)
			}
			p.Signal(syscall.SIGTERM)
			p.UntilState(tunnelfile.Stopping)
			testbed.WaitFor(t, 10*time.Second, func() error { return testbed.NotListening("tcp", addr) })
			conn.Write([]byte("y"))
			if _, err := io.ReadFull(conn, one); err != nil || one[0] != 'y' {
				t.Errorf("while draining: %q, %v", one, err)
			}
			start := time.Now()
			if c.finish {
				conn.Close()
			}
			p.Ends(0)
			took := time.Since(start)
			if took > 20*time.Second {
				t.Errorf("took %v to end", took)
			}
			if !c.finish {
				if _, err := conn.Read(one); err == nil {
					t.Error("a connection outlives the tunnel")
				}
			}
		})
	}
}

func TestSecondRequestEndsAtOnce(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	p.Start()
	p.UntilState(tunnelfile.Up)
	conn := dial(t, addr)
	defer conn.Close()
	conn.Write([]byte("x"))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGINT)
	p.UntilState(tunnelfile.Stopping)
	p.Signal(syscall.SIGINT)
	p.Ends(1)
}

func TestHooks(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	out := filepath.Join(t.TempDir(), "events")
	script := filepath.Join(t.TempDir(), "event")
	text := "#!/bin/sh\necho \"$1 $HOLDFAST_NAME $HOLDFAST_DESTINATION $HOLDFAST_STATE\" >>" + out + "\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, fileFor(s, "GateTime=0", "ExecUp="+script+" up", "ExecUp=sleep 100", "ExecDown="+script+" down"))
	events := func(want string) {
		t.Helper()
		testbed.WaitFor(t, 10*time.Second, func() error {
			got, err := os.ReadFile(out)
			if err == nil && string(got) != want {
				err = fmt.Errorf("%q, want %q", got, want)
			}
			return err
		})
	}
	p.Start()
	events("up t 127.0.0.1 up\n")
	s.KillSessions(syscall.SIGKILL)
	p.Until("up again, whatever a command does", func(r tunnelfile.Report) bool { return r.State == tunnelfile.Up && r.Reconnects == 1 })
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("a command that sleeps kept it for %v", took)
	}
}

func TestRemoteCommand(t *testing.T) {
	// What the account's own shell does at its start is none of the test's business.
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"SetEnv HOME=/nonexistent"}})
	p := newProgram(t, fileFor(s, "Start=manual", "SSH:RemoteCommand=echo said over there; exit 3"))
	p.Start()
	p.Ends(0)
	for _, want := range []string{"said over there", "exit status 3"} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("log lacks %q:\n%s", want, p.Log())
		}
	}
	p = newProgram(t, fileFor(s, "GateTime=0", "SSH:RemoteCommand=echo begun; sleep 1000"))
	p.Start()
	begun := func(n int) {
		t.Helper()
		testbed.WaitFor(t, 10*time.Second, func() error {
			if got := strings.Count(p.Log(), "begun"); got != n {
				return fmt.Errorf("begun %d times, want %d", got, n)
			}
			return nil
		})
	}
	begun(1)
	s.KillSessions(syscall.SIGKILL)
	begun(2)
}

func TestBadRuntimeFolderIsNotFatal(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	p.Start("XDG_RUNTIME_DIR=/proc/no/such/folder")
	testbed.WaitFor(t, 10*time.Second, func() error { return testbed.EchoAt(addr, 1000, 10*time.Second) })
}

func TestStaleSocketIsReplaced(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	p := newProgram(t, fileFor(s))
	p.Start()
	p.UntilState(tunnelfile.Up)
	p.Signal(syscall.SIGKILL)
	p.Ends(-1)
	p.Start()
	p.UntilState(tunnelfile.Up)
}
