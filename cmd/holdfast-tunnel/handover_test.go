package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// successorOf is the process that a service manager was told of.
func successorOf(t *testing.T, n *notifySocket) int {
	t.Helper()
	said := n.until(t, "MAINPID=", 1)
	pid, err := strconv.Atoi(strings.TrimPrefix(said[len(said)-1], "MAINPID="))
	if err != nil {
		t.Fatal(err)
	}
	// It is a sibling of the one that started it, and so a child of ours.
	t.Cleanup(func() {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
	})
	return pid
}

// awaitEnd waits until the first process has ended. The other has its standard error still.
func awaitEnd(t *testing.T, p *process) {
	t.Helper()
	testbed.WaitFor(t, 20*time.Second, func() error {
		if syscall.Kill(p.cmd.Process.Pid, 0) == nil {
			return errors.New("the process that handed over runs still")
		}
		return nil
	})
}

func TestHandOver(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	addr, line := local(t, echo)
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	p := newProgram(t, fileFor(s, line, "RemoteForward="+there+" "+echo))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 1)
	streams := []string{addr, there}
	conns, talks := make([]net.Conn, len(streams)), make([]func() error, len(streams))
	for i, to := range streams {
		conn := dial(t, to)
		conns[i] = conn
		t.Cleanup(func() { conn.Close() })
		talks[i] = func() error {
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Write([]byte("x")); err != nil {
				return err
			}
			_, err := io.ReadFull(conn, make([]byte, 1))
			return err
		}
		if err := talks[i](); err != nil {
			t.Fatal(err)
		}
	}
	p.Signal(tunnelfile.SignalHandOver)
	successorOf(t, n)
	n.until(t, "READY=1", 2)
	for i, to := range streams {
		if err := testbed.EchoAt(to, 1000, 10*time.Second); err != nil {
			t.Errorf("%s after the handover: %v", to, err)
		}
		if err := talks[i](); err != nil {
			t.Errorf("a connection through %s from before: %v", to, err)
		}
	}
	if r, err := p.Report(); err != nil || r.State != tunnelfile.Up {
		t.Errorf("the report of the new process: %+v, %v", r, err)
	}
	if strings.Contains(p.Log(), "stopping") {
		t.Errorf("the log has an end of the tunnel:\n%s", p.Log())
	}
	for _, conn := range conns {
		conn.Close()
	}
	awaitEnd(t, p)
}

func TestHandOverFails(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 1)
	good := fileFor(s, line)
	for _, c := range []struct{ what, file, want string }{
		{"a broken file", "[Tunnel]\nDestinaton=x\n", "Destinaton"},
		{"a port that is taken", fileFor(s, line, "LocalForward="+s.Addr+" 127.0.0.1:1"), "address already in use"},
		{"a key that the server refuses", strings.ReplaceAll(good, s.IdentityFile, "/nonexistent"), "refuse"},
	} {
		p.SetFile(c.file)
		p.Signal(tunnelfile.SignalHandOver)
		p.Until(c.what, func(r tunnelfile.Report) bool { return strings.Contains(r.NotHandedOver, c.want) })
		if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
			t.Errorf("%s: the old process does not go on: %v", c.what, err)
		}
	}
	if len(n.said("MAINPID=")) > 0 {
		t.Error("the service manager was told of another main process")
	}
	p.SetFile(good)
	p.Signal(tunnelfile.SignalHandOver)
	successorOf(t, n)
	awaitEnd(t, p)
	if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
		t.Error(err)
	}
}

var startedSuccessor = regexp.MustCompile(`another process is to take over.*pid=(\d+)`)

// begin asks for a handover, and returns the new process when it was started and has not taken over.
func (p *process) begin() (pid int) {
	p.t.Helper()
	before := len(p.Log())
	p.Signal(tunnelfile.SignalHandOver)
	testbed.WaitFor(p.t, 10*time.Second, func() error {
		started := startedSuccessor.FindStringSubmatch(p.Log()[before:])
		if started == nil {
			return errors.New("no new process")
		}
		var err error
		pid, err = strconv.Atoi(started[1])
		return err
	})
	p.t.Cleanup(func() {
		syscall.Kill(pid, syscall.SIGKILL)
		syscall.Wait4(pid, nil, 0, nil)
	})
	return pid
}

// ends waits until a process that is a child of ours has ended.
func ends(t *testing.T, pid int) {
	t.Helper()
	testbed.WaitFor(t, 10*time.Second, func() error {
		if got, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); got != pid && err != syscall.ECHILD {
			return fmt.Errorf("process %d runs still", pid)
		}
		return nil
	})
}

// TestHandOverDeaths: the end of either process during a handover ends the attempt, and the old
// one serves as long as it lives.
func TestHandOverDeaths(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 1)
	if err := syscall.Kill(p.begin(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.Until("told", func(r tunnelfile.Report) bool { return strings.Contains(r.NotHandedOver, "ended before") })
	if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
		t.Errorf("the old process does not go on: %v", err)
	}
	if said := n.until(t, "STATUS=up", 1); !strings.Contains(said[len(said)-1], "not handed over") {
		t.Errorf("the last status is %q", said[len(said)-1])
	}

	successor := p.begin()
	p.Signal(syscall.SIGTERM)
	ends(t, successor)
	p.Ends(0)

	p = newProgram(t, fileFor(s, line))
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 2)
	successor = p.begin()
	p.Signal(syscall.SIGKILL)
	ends(t, successor)
	if len(n.said("MAINPID=")) > 0 {
		t.Error("the service manager was told of another main process")
	}
}

// TestHandOverTwice: what is open in the first process may end by itself there, also when the
// second has handed over to a third.
func TestHandOverTwice(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "Service:TimeoutStopSec=600ms"))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 1)
	conn := dial(t, addr)
	defer conn.Close()
	talk := func(patience time.Duration) error {
		conn.SetReadDeadline(time.Now().Add(patience))
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	}
	conn.Write([]byte("x"))
	if err := talk(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	p.Signal(tunnelfile.SignalHandOver)
	second := successorOf(t, n)
	n.until(t, "READY=1", 2)
	if err := syscall.Kill(second, tunnelfile.SignalHandOver); err != nil {
		t.Fatal(err)
	}
	n.until(t, "READY=1", 3)
	successorOf(t, n)
	if err := talk(time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection of the first process: %v", err)
	}
	conn.Write([]byte("y"))
	if err := talk(10 * time.Second); err != nil {
		t.Error(err)
	}
	conn.Close()
	awaitEnd(t, p)
	ends(t, second)
}

// TestHandOverReload: what a changed file says while a new process makes its connection is in
// force there.
func TestHandOverReload(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	addr, line := local(t, echo)
	added, another := local(t, echo)
	gone, third := local(t, echo)
	p := newProgram(t, fileFor(s, line, third))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	n.until(t, "READY=1", 1)
	p.begin()
	p.SetFile(fileFor(s, line, another))
	p.Signal(syscall.SIGHUP)
	successorOf(t, n)
	awaitEnd(t, p)
	r := p.Until("with the forward that was added", func(r tunnelfile.Report) bool { return r.State == tunnelfile.Up && len(r.Forwards) == 2 })
	for _, to := range []string{addr, added} {
		if err := testbed.EchoAt(to, 1000, 10*time.Second); err != nil {
			t.Errorf("%s: %v; %+v", to, err, r.Forwards)
		}
	}
	if err := testbed.NotListening("tcp", gone); err != nil {
		t.Errorf("the forward that was dropped: %v", err)
	}
}

// TestHandOverProbes: who asks at the address of --listen is answered all the time, and hears
// that the tunnel is ready.
func TestHandOverProbes(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	n := newNotifySocket(t)
	probes := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	p.StartCommand(p.command([]string{"NOTIFY_SOCKET=" + n.path}, "--listen", probes, p.Path))
	n.until(t, "READY=1", 1)
	before := len(n.said("STATUS="))
	stop, ended := make(chan struct{}), make(chan struct{})
	asked := 0
	go func() {
		defer close(ended)
		kept, anew := &http.Client{Timeout: 10 * time.Second}, &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		for {
			for _, client := range []*http.Client{kept, anew} {
				r, err := client.Get("http://" + probes + "/readyz")
				if err != nil {
					t.Error(err)
				} else if r.Body.Close(); r.StatusCode != http.StatusOK {
					t.Errorf("not ready: %s", r.Status)
				}
				asked++
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for i, pid := range []int{p.cmd.Process.Pid, 0, 0} {
		if i > 0 {
			pid = successorOf(t, n)
		}
		if err := syscall.Kill(pid, tunnelfile.SignalHandOver); err != nil {
			t.Fatal(err)
		}
		n.until(t, "MAINPID=", i+1)
		n.until(t, "READY=1", i+2)
		if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
			t.Error(err)
		}
	}
	successorOf(t, n)
	close(stop)
	<-ended
	t.Logf("%d probes, all answered", asked)
	for _, status := range n.said("STATUS=")[before:] {
		if !strings.HasPrefix(status, "STATUS=up") {
			t.Errorf("the service manager was told %q", status)
		}
	}
}

// Outside a service manager nobody would take another process for this one.
func TestHandOverAlone(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	_, line := local(t, "127.0.0.1:1")
	p := newProgram(t, fileFor(s, line))
	p.Start()
	p.UntilState(tunnelfile.Up)
	p.Signal(tunnelfile.SignalHandOver)
	p.Until("refused", func(r tunnelfile.Report) bool { return strings.Contains(r.NotHandedOver, "no service manager") })
}
