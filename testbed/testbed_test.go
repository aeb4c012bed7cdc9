package testbed

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// forward runs a plain ssh -L to the server and returns the local address.
func forward(t *testing.T, s *Server, target string) string {
	t.Helper()
	local := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	args := append(s.Args(), "-o", "ExitOnForwardFailure=yes", "-N", "-L", local+":"+target, s.Destination())
	cmd := exec.Command("ssh", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	WaitFor(t, 10*time.Second, func() error {
		conn, err := net.Dial("tcp", local)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return local
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestServerCarriesBytes(t *testing.T) {
	s := StartServer(t, ServerOptions{HostKeyTypes: []string{"ecdsa", "ed25519"}})
	if n := s.Attempts(); n != 0 {
		t.Errorf("%d attempts before the first", n)
	}
	local := forward(t, s, Echo(t, "tcp", "127.0.0.1:0").String())
	CheckEcho(t, dial(t, local), 4<<20, time.Minute)
	if s.Attempts() != 1 || s.Logins() != 1 {
		t.Errorf("attempts %d, logins %d, want 1 and 1; log:\n%s", s.Attempts(), s.Logins(), s.Log())
	}
}

func TestServerStopsAndStarts(t *testing.T) {
	s := StartServer(t, ServerOptions{})
	forward(t, s, "127.0.0.1:9")
	if len(s.SessionPIDs()) == 0 {
		t.Fatal("no session for a client that is logged in")
	}
	s.StopListening()
	if err := NotListening("tcp", s.Addr); err != nil {
		t.Errorf("after StopListening: %v", err)
	}
	if len(s.SessionPIDs()) == 0 {
		t.Error("StopListening ended the session too")
	}
	s.KillSessions(syscall.SIGKILL)
	WaitFor(t, 20*time.Second, func() error {
		if left := s.SessionPIDs(); len(left) > 0 {
			return fmt.Errorf("sessions %v live on", left)
		}
		return nil
	})
	s.Start()
	forward(t, s, "127.0.0.1:9")
	s.Stop()
	if left := s.SessionPIDs(); len(left) > 0 {
		t.Errorf("sessions %v outlive Stop", left)
	}
	if s.Logins() != 2 {
		t.Errorf("%d logins, want 2", s.Logins())
	}
}

func TestAgentLetsIn(t *testing.T) {
	s := StartServer(t, ServerOptions{})
	a := Agent(t, s.Identity)
	login := func() (string, error) {
		args := []string{"-F", "none", "-o", "BatchMode=yes", "-o", "IdentityFile=none", "-o", "IdentityAgent=" + a.Socket,
			"-o", "UserKnownHostsFile=" + s.KnownHosts, s.Destination(), "echo in"}
		out, err := exec.Command("ssh", args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := login(); err != nil || out != "in" {
		t.Fatalf("with the key in the agent: %v, %s", err, out)
	}
	a.RemoveAll()
	if out, err := login(); err == nil {
		t.Fatalf("with an empty agent: %s", out)
	}
}

func TestProxy(t *testing.T) {
	p := NewProxy(t, Echo(t, "tcp", "127.0.0.1:0").String())
	CheckEcho(t, dial(t, p.Addr), 4<<20, time.Minute)

	p.SetDelay(50 * time.Millisecond)
	start := time.Now()
	CheckEcho(t, dial(t, p.Addr), 1, time.Minute)
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("round trip took %v with 50 ms each way", d)
	}
	p.SetDelay(0)

	p.SetSilent(true)
	conn := dial(t, p.Addr)
	defer conn.Close()
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var one [1]byte
	if _, err := conn.Read(one[:]); err == nil {
		t.Error("a silent proxy answered")
	}
	p.SetSilent(false)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conn, one[:]); err != nil || one[0] != 'x' {
		t.Errorf("after silence: %q, %v", one, err)
	}

	p.Reset()
	if _, err := conn.Read(one[:]); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after Reset: %v, want a reset", err)
	}
	p.SetRefusing(true)
	if err := Refusal("tcp", p.Addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refusing: %v, want a reset", err)
	}
	if p.Accepted() != 4 {
		t.Errorf("%d accepted, want 4", p.Accepted())
	}
}

func TestEchoThroughTellsDamage(t *testing.T) {
	swap := Serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		all, _ := io.ReadAll(conn)
		all[0], all[1] = all[1], all[0]
		conn.Write(all)
	})
	if err := EchoThrough(dial(t, swap.String()), 1000, time.Minute); err == nil {
		t.Error("two bytes changed places and nobody noticed")
	}
	short := Serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		all, _ := io.ReadAll(conn)
		conn.Write(all[1:])
	})
	if err := EchoThrough(dial(t, short.String()), 1000, time.Minute); err == nil {
		t.Error("one byte was lost and nobody noticed")
	}
}
