package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// untilUsable waits until a connection through addr carries bytes both ways.
func untilUsable(t testing.TB, addr string, deadline time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	testbed.WaitFor(t, deadline, func() error { return testbed.EchoAt(addr, 1000, time.Until(start.Add(deadline))) })
	return time.Since(start)
}

func TestKilledSession(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	here, line := local(t, echo)
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	p := newProgram(t, fileFor(s, line, "RemoteForward="+there+" "+echo, "GateTime=0"))
	p.Start()
	p.UntilState(tunnelfile.Up)
	var locals, remotes []time.Duration
	for i := range 7 {
		s.KillSessions(syscall.SIGKILL)
		if i%2 == 0 {
			locals = append(locals, untilUsable(t, here, 20*time.Second))
			untilUsable(t, there, 60*time.Second)
		} else {
			remotes = append(remotes, untilUsable(t, there, 60*time.Second))
			untilUsable(t, here, 20*time.Second)
		}
	}
	t.Logf("usable again after (median): local %v, remote %v", median(locals), median(remotes))
	if m := median(locals); m > time.Second {
		t.Errorf("local forward usable after %v", m)
	}
	if m := median(remotes); m > 2*time.Second {
		t.Errorf("remote forward usable after %v", m)
	}
}

// TestUnusedConnectionTimeout: when the server ends idle links, the log names its setting.
func TestUnusedConnectionTimeout(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"UnusedConnectionTimeout 2"}})
	for _, transport := range []string{"native", "openssh"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			_, line := local(t, "127.0.0.1:1")
			p := newProgram(t, fileFor(s, line, "Transport="+transport))
			p.Start()
			p.Until("reconnected", func(r tunnelfile.Report) bool { return r.Reconnects >= 2 })
			if log := p.Log(); strings.Count(log, "UnusedConnectionTimeout") == 0 {
				t.Errorf("the log does not name the setting:\n%s", log)
			}
		})
	}
}

func TestServerStopped(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "GateTime=0"))
	p.Start()
	p.UntilState(tunnelfile.Up)
	s.Stop()
	// First it says why the link was lost, then why the retry at once failed.
	p.Until("waiting for a server that refuses", func(r tunnelfile.Report) bool {
		return r.State == tunnelfile.Retrying && !r.NextTry.IsZero() && strings.HasPrefix(r.Status, "in ") && strings.Contains(r.Status, "refused")
	})
	parked := make(chan error, 1)
	go func() { parked <- testbed.EchoAt(addr, 1000, 30*time.Second) }() // waits for the link
	p.Until("held", func(r tunnelfile.Report) bool { return r.Held == 1 })
	s.Start()
	p.Signal(syscall.SIGUSR1) // somebody knows
	if err := <-parked; err != nil {
		t.Errorf("the connection that waited: %v", err)
	}
}

func TestHungSessionIsReplaced(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	p.Start()
	p.UntilState(tunnelfile.Up)
	s.KillSessions(syscall.SIGSTOP)
	defer s.KillSessions(syscall.SIGCONT)
	if took := untilUsable(t, addr, 30*time.Second); took > 6*time.Second {
		t.Errorf("usable after %v", took)
	} else {
		t.Logf("usable after %v", took)
	}
}

func TestSilence(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	proxy := testbed.NewProxy(t, s.Addr)
	_, port, _ := net.SplitHostPort(proxy.Addr)
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "SSH:Port="+port, "SSH:HostKeyAlias=["+s.Host+"]:"+itoa(s.Port)))
	p.Start()
	p.UntilState(tunnelfile.Up)

	t.Run("the old connection is kept when it answers again", func(t *testing.T) {
		conn := dial(t, addr)
		defer conn.Close()
		conn.Write([]byte("a"))
		conn.SetDeadline(time.Now().Add(time.Minute))
		one := make([]byte, 1)
		if _, err := io.ReadFull(conn, one); err != nil {
			t.Fatal(err)
		}
		proxy.SetSilent(true)
		conn.Write([]byte("b"))
		start := time.Now()
		r := p.UntilState(tunnelfile.Degraded)
		t.Logf("suspect after %v: %s", time.Since(start), r.Status)
		proxy.SetSilent(false)
		if _, err := io.ReadFull(conn, one); err != nil || one[0] != 'b' {
			t.Errorf("%q, %v", one, err)
		}
		p.UntilState(tunnelfile.Up)
	})
	t.Run("a dead one is given up", func(t *testing.T) {
		before, err := p.Report()
		if err != nil {
			t.Fatal(err)
		}
		proxy.SetSilent(true)
		waiting := make(chan error, 1)
		go func() { waiting <- testbed.EchoAt(addr, 1000, time.Minute) }()
		p.UntilState(tunnelfile.Degraded)
		proxy.Reset() // what was held back is lost; new connections go through
		proxy.SetSilent(false)
		if err := <-waiting; err != nil {
			t.Errorf("the connection made meanwhile: %v", err)
		}
		p.Until("another connection", func(r tunnelfile.Report) bool {
			return r.State == tunnelfile.Up && r.Reconnects > before.Reconnects
		})
	})
}

func TestBlockedByAuthentication(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	a := testbed.Agent(t)
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line, "SSH:IdentityFile=none", "SSH:IdentitiesOnly=no", "SSH:IdentityAgent="+a.Socket))
	n := newNotifySocket(t)
	p.Start("NOTIFY_SOCKET=" + n.path)
	p.UntilState(tunnelfile.Blocked)
	if err := testbed.Refusal("tcp", addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection while blocked: %v, want a reset", err)
	}
	for range 5 {
		p.Signal(syscall.SIGUSR1) // the network changes; the key does not
	}
	p.UntilState(tunnelfile.Blocked)
	if got := s.Attempts(); got > 1 {
		t.Errorf("%d attempts reached the server", got)
	}
	a.Add(s.Identity)
	p.UntilState(tunnelfile.Up)
	if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
		t.Error(err)
	}
	if got := s.Attempts(); got > 3 {
		t.Errorf("%d attempts reached the server", got)
	}
}

func TestAskpass(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	locked := testbed.NewKey(t, filepath.Join(t.TempDir(), "locked"), "ed25519", "open sesame")
	s.Authorize(locked.AuthorizedKey())
	script := filepath.Join(t.TempDir(), "askpass")
	write := func(text string) {
		if err := os.WriteFile(script, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("exit 1") // nobody is there
	p := newProgram(t, fileFor(s, "SSH:IdentityFile="+locked.File, "SSH:IdentityAgent=none"))
	p.Start("NOTIFY_SOCKET="+newNotifySocket(t).path, "SSH_ASKPASS="+script, "SSH_ASKPASS_REQUIRE=force")
	r := p.UntilState(tunnelfile.Blocked)
	if !strings.Contains(r.Status, "needs a passphrase") {
		t.Errorf("says %q", r.Status)
	}
	write(`case "$1 $HOLDFAST_NAME" in *passphrase*locked*" t") echo "open sesame";; *) exit 1;; esac`)
	p.Signal(syscall.Signal(35)) // a person comes
	p.UntilState(tunnelfile.Up)
	if strings.Contains(p.Log(), "sesame") {
		t.Error("the passphrase is in the log")
	}
}

func TestBlockedByHostKey(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	known := filepath.Join(t.TempDir(), "known_hosts")
	other := testbed.NewKey(t, filepath.Join(t.TempDir(), "other"), "ed25519", "")
	write := func(key testbed.Key) {
		if err := tunnelfile.Write(known, fmt.Sprintf("[%s]:%d %s\n", s.Host, s.Port, key.AuthorizedKey())); err != nil {
			t.Fatal(err)
		}
	}
	write(other)
	p := newProgram(t, fileFor(s, "SSH:UserKnownHostsFile="+known))
	p.Start("NOTIFY_SOCKET=" + newNotifySocket(t).path)
	r := p.UntilState(tunnelfile.Blocked)
	if !strings.Contains(strings.ToLower(r.Status), "host key") {
		t.Errorf("says %q", r.Status)
	}
	write(s.HostKeys[0])
	p.UntilState(tunnelfile.Up)
}

func TestOrphanHoldsTheRemotePort(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	there := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	orphan, err := net.Listen("tcp", there)
	if err != nil {
		t.Fatal(err)
	}
	defer orphan.Close()
	here, line := local(t, echo)
	p := newProgram(t, fileFor(s, line, "RemoteForward="+there+" "+echo))
	p.Start()
	r := p.UntilState(tunnelfile.Degraded)
	if !strings.Contains(r.Status, "RemoteForward") {
		t.Errorf("says %q", r.Status)
	}
	if err := testbed.EchoAt(here, 1000, 10*time.Second); err != nil {
		t.Errorf("the other forward: %v", err)
	}
	orphan.Close()
	p.UntilState(tunnelfile.Up)
	if err := testbed.EchoAt(there, 1000, 10*time.Second); err != nil {
		t.Error(err)
	}
}

func TestRotationUnderLoadLosesNothing(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	p.Start()
	p.UntilState(tunnelfile.Up)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	served := 0
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := testbed.EchoAt(addr, 200_000, 30*time.Second)
				mu.Lock()
				served++
				mu.Unlock()
				if err != nil {
					t.Errorf("connection %d: %v", served, err)
					return
				}
			}
		})
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for range 6 {
		<-ticker.C
		p.Signal(syscall.Signal(35))
	}
	close(stop)
	wg.Wait()
	r := p.UntilState(tunnelfile.Up)
	t.Logf("%d connections over %d SSH connections", served, r.Reconnects+1)
	if r.Reconnects < 4 {
		t.Errorf("%d reconnects, want one a second", r.Reconnects)
	}
}
