package sshlink

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/wire"
	"github.com/holdfast/holdfast/testbed"
)

// promptly is a limit for what takes no time, and for ever if it waits for a peer that is silent. A
// busy machine may need some of it.
const promptly = 10 * time.Second

// within fails the test when f takes longer.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s takes longer than %v", what, limit)
	}
}

// TestNothingHangsOnASilentServer stops the server's processes: nothing answers, nothing closes.
func TestNothingHangsOnASilentServer(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l := dialServer(t, s)
	ln, err := l.ListenContext(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.KillSessions(syscall.SIGSTOP)
	defer s.KillSessions(syscall.SIGCONT)

	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for range 3 {
		within(t, promptly, "Ping", func() {
			if _, err := l.Ping(soon()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Ping: %v", err)
			}
		})
	}
	within(t, promptly, "DialContext", func() {
		if _, err := l.DialContext(soon(), "tcp", "127.0.0.1:9"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("DialContext: %v", err)
		}
	})
	within(t, promptly, "ListenContext", func() {
		if _, err := l.ListenContext(soon(), "tcp", "localhost:0"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ListenContext: %v", err)
		}
	})
	if l.Unanswered().IsZero() {
		t.Error("Unanswered is zero while nothing answers")
	}
	accepted := make(chan error, 1)
	go func() { _, err := ln.Accept(); accepted <- err }()
	within(t, wire.CancelTimeout+promptly, "a listener's Close", func() { ln.Close() })
	within(t, promptly, "Accept after Close", func() { <-accepted })
	within(t, promptly, "Close", func() { l.Close() })
	within(t, promptly, "Wait", func() {
		if err := l.Wait(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Wait after Close: %v", err)
		}
	})
}

// TestLostLinkSaysWhy kills the server's processes.
func TestLostLinkSaysWhy(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l := dialServer(t, s)
	ln, err := l.ListenContext(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	s.KillSessions(syscall.SIGKILL)
	within(t, promptly, "Wait", func() {
		err := l.Wait()
		if err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("Wait: %v", err)
		}
		t.Log(err)
	})
	if l.Alive() {
		t.Error("Alive after the loss")
	}
	within(t, promptly, "Accept", func() {
		if _, err := ln.Accept(); err == nil {
			t.Error("Accept on a lost link succeeds")
		}
	})
	if _, err := l.DialContext(t.Context(), "tcp", "127.0.0.1:9"); err == nil {
		t.Error("DialContext on a lost link succeeds")
	}
	if _, err := l.Ping(t.Context()); err == nil {
		t.Error("Ping on a lost link succeeds")
	}
}

// TestDialIsAbandonedAtOnce dials a server that accepts and says nothing.
func TestDialIsAbandonedAtOnce(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			defer c.Close() // the collector closes a connection that nobody refers to
		}
	}()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	dial := func(ctx context.Context, more ...string) error {
		r, err := Resolve(t.Context(), source{Destination: "127.0.0.1", ConfigFile: "none", Settings: settings(append(more, "Port="+port)...)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Dial(ctx)
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, promptly, "an abandoned Dial", func() {
		if err := dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("abandoned: %v", err)
		}
	})
	within(t, promptly, "ConnectTimeout=1", func() {
		err := dial(t.Context(), "ConnectTimeout=1")
		if e := fault.As(err); e == nil || e.Class() == fault.ClassDenied || e.Class() == fault.ClassMistaken || e.Class() == fault.ClassDistrusted {
			t.Errorf("ConnectTimeout: %v", err)
		}
		t.Log(err)
	})
}

// TestTurnedAway wants the ways in which servers send addresses away to be told apart.
func TestTurnedAway(t *testing.T) {
	for _, c := range []struct {
		name, says string
		turnedAway bool
	}{
		{"closed at once", "", true},
		{"MaxStartups", "Exceeded MaxStartups\r\n", true},
		{"PerSourcePenalties", "Not allowed at this time\r\n", true},
		{"not SSH", "HTTP/1.0 400 Bad Request\r\n\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(conn, c.says)
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
				conn.Close()
			}()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			r, err := Resolve(t.Context(), source{Destination: "127.0.0.1", ConfigFile: "none", Settings: settings("Port=" + port)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Dial(t.Context())
			if e := fault.As(err); e == nil || (e.Class() == fault.ClassTurnedAway) != c.turnedAway {
				t.Errorf("TurnedAway is not %v: %v", c.turnedAway, err)
			}
			t.Log(err)
		})
	}
}
