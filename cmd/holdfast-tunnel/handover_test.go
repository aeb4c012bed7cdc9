package main

import (
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
		if err := echoes(to, 10*time.Second); err != nil {
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
		if err := echoes(addr, 10*time.Second); err != nil {
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
	if err := echoes(addr, 10*time.Second); err != nil {
		t.Error(err)
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
