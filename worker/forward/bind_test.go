package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestRemoteListenAddress(t *testing.T) {
	for _, row := range []struct {
		listen tunnelfile.Address
		want   target
	}{
		{tunnelfile.Address{Port: 80}, target{"tcp", "localhost:80"}},
		{tunnelfile.Address{Port: 80, Bind: true}, target{"tcp", ":80"}},
		{tunnelfile.Address{Port: 80, Bind: true, Host: "*"}, target{"tcp", ":80"}},
		{tunnelfile.Address{Port: 80, Bind: true, Host: "::1"}, target{"tcp", "[::1]:80"}},
		{tunnelfile.Address{Port: 80, Bind: true, Host: "box"}, target{"tcp", "box:80"}},
		{tunnelfile.Address{Unix: "/run/x"}, target{"unix", "/run/x"}},
	} {
		if got, _ := remoteListen(row.listen); got != row.want {
			t.Errorf("%+v: %v", row.listen, got)
		}
	}
}

func awaitState(t *testing.T, s *Set, i int, want tunnelfile.State) tunnelfile.ForwardReport {
	t.Helper()
	var r tunnelfile.ForwardReport
	testbed.WaitFor(t, patience, func() error {
		if r = s.Report()[i]; r.State != want {
			return fmt.Errorf("%s: %s; not %s", r.State, r.Message, want)
		}
		return nil
	})
	return r
}

// A port that another session holds keeps the rest up, is told apart, and is tried on
// its own clock until it is free.
func TestRemotePortHeldByOrphan(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	held, free := testbed.FreeAddr(t), testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(held), tcp(echo)), remote(tcp(free), tcp(echo))}})
	s.pace = pace{10 * time.Millisecond, 20 * time.Millisecond}

	proxy := testbed.NewProxy(t, server.Addr)
	first := dialSSH(t, server, proxy.Addr)
	use(t, s, first)
	proxy.SetSilent(true) // the session over there does not learn that it is lost
	s.Lost(first)
	first.Close()
	second := dialSSH(t, server, server.Addr)
	use(t, s, second)
	defer s.Lost(second)
	want := fmt.Sprintf("the server still holds port %d, likely from our previous session: its ClientAliveInterval is 0 or long", held.Port)
	if r := awaitState(t, s, 0, tunnelfile.Degraded); r.Message != want {
		t.Errorf("message %q", r.Message)
	}
	proxy.Reset()
	awaitState(t, s, 0, tunnelfile.Up)
	awaitState(t, s, 1, tunnelfile.Up)
	testbed.CheckEcho(t, connect(t, held), 1000, patience)
	testbed.CheckEcho(t, connect(t, free), 1000, patience)
}

// With ExitOnForwardFailure=no a refused bind does not degrade.
func TestRefusedBindWithoutExitOnForwardFailure(t *testing.T) {
	refusing := direct()
	refusing.listen = func(context.Context, string, string) (net.Listener, error) {
		return nil, errors.New("denied by peer")
	}
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(testbed.FreeAddr(t)), tcp(testbed.FreeAddr(t)))}})
	c := *s.config.Load()
	c.ExitOnForwardFailure = false
	if err := s.Apply(c); err != nil {
		t.Fatal(err)
	}
	use(t, s, refusing)
	defer s.Lost(refusing)
	if r := s.Report()[0]; r.State != tunnelfile.Retrying || !strings.HasPrefix(r.Message, "the server refuses to listen on port ") {
		t.Errorf("%s: %s", r.State, r.Message)
	}
}

// A new link takes remote forwards over from the one before.
func TestRemoteForwardMoves(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	path := socketPath(t, "r")
	listen := testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(listen), tcp(echo)), remote(sock(path), tcp(echo))}})
	first := dialSSH(t, server, server.Addr)
	use(t, s, first)
	old := connect(t, listen)
	fmt.Fprint(old, "x")
	if _, err := old.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	second := dialSSH(t, server, server.Addr)
	use(t, s, second)
	for i := range 2 {
		if r := s.Report()[i]; r.State != tunnelfile.Up && i == 0 {
			t.Errorf("%s: %s", r.State, r.Message)
		}
	}
	testbed.CheckEcho(t, connect(t, listen), 1000, patience)
	testbed.CheckEcho(t, old, 1000, patience)
	s.Lost(first)
	first.Close()
	testbed.CheckEcho(t, connect(t, listen), 1000, patience)
	s.Lost(second)
	if r := s.Report()[0]; r.State != tunnelfile.Inactive {
		t.Errorf("without a link: %s", r.State)
	}
}

// Nothing waits for a link that does not answer.
func TestUseIsAbandoned(t *testing.T) {
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(testbed.FreeAddr(t)), tcp(testbed.FreeAddr(t)))}})
	asked := make(chan struct{}, 2)
	silent := deaf()
	silent.listen = func(ctx context.Context, _, _ string) (net.Listener, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := slotOf(s).Use(ctx, silent); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ended by ctx: %v", err)
	}
	ended := make(chan error)
	<-asked
	go func() { ended <- slotOf(s).Use(context.Background(), silent) }()
	<-asked
	s.Lost(silent)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("Use hangs on a lost link")
	}
	// A link of which the bind cannot be taken back does not keep the next one from working.
	gone := make(chan struct{})
	stuck := direct()
	stuck.listen = func(ctx context.Context, network, addr string) (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		return stuckListener{l, gone}, err
	}
	use(t, s, stuck)
	link := direct()
	begin := time.Now()
	use(t, s, link)
	defer s.Lost(link)
	if took := time.Since(begin); took > cancelTimeout+5*time.Second {
		t.Errorf("took %v", took)
	}
	s.Lost(stuck)
	close(gone)
	awaitState(t, s, 0, tunnelfile.Up)
}

// stuckListener is a remote listener whose link answers no more.
type stuckListener struct {
	net.Listener
	gone chan struct{} // closed when the link is
}

func (l stuckListener) Close() error {
	l.Listener.Close()
	<-l.gone
	return nil
}

// removingLink removes stale sockets as a link with a session would.
type removingLink struct {
	*sshLink
	mu    sync.Mutex
	asked []string
}

func (l *removingLink) RemoveStale(_ context.Context, path string) error {
	l.mu.Lock()
	l.asked = append(l.asked, path)
	l.mu.Unlock()
	if !sockets.Stale(context.Background(), path) {
		return errors.New("somebody answers on it")
	}
	return os.Remove(path)
}

// A socket that a session left behind on the server is removed where
// StreamLocalBindUnlink says so, and only if nobody answers on it.
func TestStaleRemoteSocket(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	leave := func(path string) {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
	}
	staleA, staleB, busy := socketPath(t, "a"), socketPath(t, "b"), socketPath(t, "c")
	leave(staleA)
	leave(staleB)
	testbed.Echo(t, "unix", busy)

	link := &removingLink{sshLink: dialSSH(t, server, server.Addr)}
	s := newSet(t, Config{
		Forwards:              []tunnelfile.Forward{remote(sock(staleA), tcp(echo)), remote(sock(busy), tcp(echo))},
		StreamLocalBindUnlink: true,
	})
	use(t, s, link)
	defer s.Lost(link)
	awaitState(t, s, 0, tunnelfile.Up)
	testbed.CheckEcho(t, connect(t, &net.UnixAddr{Net: "unix", Name: staleA}), 1000, patience)
	if r := awaitState(t, s, 1, tunnelfile.Degraded); !strings.Contains(r.Message, busy) {
		t.Errorf("message %q", r.Message)
	}

	other := &removingLink{sshLink: dialSSH(t, server, server.Addr)}
	without := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(sock(staleB), tcp(echo))}})
	use(t, without, other)
	defer without.Lost(other)
	awaitState(t, without, 0, tunnelfile.Degraded)
	if slices.Contains(other.asked, staleB) {
		t.Error("removal was tried without StreamLocalBindUnlink")
	}
}

// The server's death under a remote forward, and its way back.
func TestRemoteForwardAfterKilledSession(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	listen := testbed.FreeAddr(t)
	var changes atomic.Int64
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(listen), tcp(echo))}, Changed: func() { changes.Add(1) }})
	for range 3 {
		link := dialSSH(t, server, server.Addr)
		use(t, s, link)
		awaitState(t, s, 0, tunnelfile.Up)
		testbed.CheckEcho(t, connect(t, listen), 100_000, patience)
		server.KillSessions(syscall.SIGKILL)
		link.client.Wait()
		s.Lost(link)
		awaitState(t, s, 0, tunnelfile.Inactive)
	}
	if changes.Load() == 0 {
		t.Error("nobody was told")
	}
}

// Port 0 leaves the choice to the server, and the report says what it chose.
func TestRemotePortChosenByServer(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(loopback, tcp(echo)), local(loopback, tcp(echo))}})
	use(t, s, link)
	defer s.Lost(link)
	awaitState(t, s, 0, tunnelfile.Up)
	for _, r := range s.Report() {
		if err := testbed.EchoAt(r.Listen, 1000, patience); err != nil {
			t.Errorf("%s listens on %s: %v", r.Kind, r.Listen, err)
		}
	}
}
