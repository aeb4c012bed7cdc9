package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// awaitOpen waits until so many connections run through the forwards.
func awaitOpen(t *testing.T, s *Set, n int64) {
	t.Helper()
	testbed.WaitFor(t, patience, func() error {
		if totals := s.Totals(); totals.ChannelsOpen != n {
			return fmt.Errorf("%+v", totals)
		}
		return nil
	})
}

// Beyond MaxChannels local connections wait for their turn, and remote ones are refused.
func TestMaxChannels(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	port := testbed.FreeAddr(t)
	s := newSet(t, Config{
		Forwards:    []tunnelfile.Forward{local(loopback, tcp(echo)), remote(tcp(port), tcp(echo))},
		MaxChannels: 2, MaxHeld: 1, HoldTimeout: patience,
	})
	link := dialSSH(t, server, server.Addr)
	use(t, s, link)
	defer s.Lost(link)

	first, second := connect(t, s.addr(0)), connect(t, port)
	testbed.CheckEcho(t, first, 1000, patience)
	fmt.Fprint(second, "x")
	if _, err := second.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	awaitOpen(t, s, 1) // CheckEcho has ended the first
	first = connect(t, s.addr(0))
	awaitOpen(t, s, 2)

	over := connect(t, port) // sshd takes it, and we refuse
	over.SetReadDeadline(time.Now().Add(patience))
	if n, err := over.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a remote connection too many: %d, %v", n, err)
	}
	waiting := connect(t, s.addr(0))
	awaitPending(t, s, 1)
	isReset(t, s.addr(0)) // not even waiting is allowed
	if n := s.Report()[0].Refused + s.Report()[1].Refused; n != 2 {
		t.Errorf("%d refused, want 2", n)
	}
	first.Close()
	testbed.CheckEcho(t, waiting, 1000, patience)
	second.Close()
	awaitOpen(t, s, 0)

	more := *s.config.Load()
	a, b := connect(t, s.addr(0)), connect(t, s.addr(0))
	awaitOpen(t, s, 2)
	waiting = connect(t, s.addr(0))
	awaitPending(t, s, 1)
	more.MaxChannels = 3
	if err := s.Apply(more); err != nil {
		t.Fatal(err)
	}
	testbed.CheckEcho(t, waiting, 1000, patience)
	a.Close()
	b.Close()
}

// The log says what a connection waited for in vain.
func TestPendingLog(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	for _, c := range []struct {
		linked bool
		want   string
	}{{false, "no SSH connection in time"}, {true, "as many as MaxChannels= allows are open"}} {
		lines := make(chan string, 16)
		s := newSet(t, Config{
			Forwards:    []tunnelfile.Forward{local(loopback, tcp(echo))},
			MaxChannels: 1, HoldTimeout: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(lineWriter(lines), nil)),
		})
		if c.linked {
			link := dialSSH(t, server, server.Addr)
			use(t, s, link)
			defer s.Lost(link)
			connect(t, s.addr(0))
			awaitOpen(t, s, 1)
		}
		isReset(t, s.addr(0))
		for line := range lines {
			if strings.Contains(line, "pending connections reset") {
				if !strings.Contains(line, c.want) {
					t.Errorf("got %s, want %q", line, c.want)
				}
				break
			}
		}
	}
}

// lineWriter sends on what a log writes, a line at a time.
type lineWriter chan<- string

func (w lineWriter) Write(p []byte) (int, error) {
	select {
	case w <- string(p):
	default:
	}
	return len(p), nil
}

// A bind that the server does not answer is told, with its reason, until it is answered.
func TestSlowAnswer(t *testing.T) {
	answer := make(chan struct{})
	slow := direct()
	listen := slow.listen
	slow.listen = func(ctx context.Context, network, addr string) (net.Listener, error) {
		select {
		case <-answer:
			return listen(ctx, network, addr)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(testbed.FreeAddr(t)), tcp(testbed.FreeAddr(t)))}})
	used := make(chan error, 1)
	go func() { used <- slotOf(s).Use(t.Context(), slow) }()
	defer s.Lost(slow)
	if r := awaitState(t, s, 0, tunnelfile.Degraded); r.Reason != fault.SlowAnswer {
		t.Errorf("%s: %s", r.Reason, r.Message)
	}
	select {
	case err := <-used:
		t.Errorf("in use before the server has answered: %v", err)
	default:
	}
	close(answer)
	if err := <-used; err != nil {
		t.Error(err)
	}
	if r := s.Report()[0]; r.State != tunnelfile.Up || r.Reason != fault.None {
		t.Errorf("%s [%s]: %s", r.State, r.Reason, r.Message)
	}
}
