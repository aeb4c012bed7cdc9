package forward

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// patience is the deadline of whatever a test waits for, also on a machine that does
// ten other things.
const patience = time.Minute

// quietLink has what a Link does besides dialing and listening. It knows nothing, and owes nothing.
type quietLink struct{}

func (quietLink) RemoveStale(context.Context, string) error       { return errors.ErrUnsupported }
func (quietLink) Alive() bool                                     { return true }
func (quietLink) Unanswered() time.Time                           { return time.Time{} }
func (quietLink) Line() (rtt time.Duration, lost uint64, ok bool) { return 0, 0, false }

// sshLink is a real connection to a real sshd, as a Link.
type sshLink struct {
	quietLink
	client *ssh.Client
	dead   atomic.Bool
}

func dialSSH(t testing.TB, s *testbed.Server, addr string) *sshLink {
	t.Helper()
	key, err := os.ReadFile(s.IdentityFile)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ClientConfig{
		User:            s.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	config.Ciphers = []string{ssh.CipherAES128GCM}
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	l := &sshLink{}
	c, channels, requests, err := ssh.NewClientConn(watchedConn{conn, &l.dead}, addr, config)
	if err != nil {
		t.Fatal(err)
	}
	l.client = ssh.NewClient(c, channels, requests)
	t.Cleanup(func() { l.Close() })
	return l
}

// watchedConn notes when the transport failed, before x/crypto does.
type watchedConn struct {
	net.Conn
	dead *atomic.Bool
}

func (c watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.dead.Store(true)
	}
	return n, err
}

func (l *sshLink) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return l.client.DialContext(ctx, network, addr)
}

func (l *sshLink) ListenContext(ctx context.Context, network, addr string) (net.Listener, error) {
	type result struct {
		net.Listener
		err error
	}
	done := make(chan result, 1)
	go func() {
		listener, err := l.client.Listen(network, addr)
		done <- result{listener, err}
	}()
	select {
	case r := <-done:
		return r.Listener, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *sshLink) Alive() bool { return !l.dead.Load() }

func (l *sshLink) Close() error { return l.client.Close() }

// fakeLink dials and listens as its functions say.
type fakeLink struct {
	quietLink
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	listen func(ctx context.Context, network, addr string) (net.Listener, error)
}

func (l *fakeLink) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return l.dial(ctx, network, addr)
}

func (l *fakeLink) ListenContext(ctx context.Context, network, addr string) (net.Listener, error) {
	return l.listen(ctx, network, addr)
}

// direct is a link that goes nowhere: what it dials and where it listens is here.
func direct() *fakeLink {
	var d net.Dialer
	var c net.ListenConfig
	return &fakeLink{dial: d.DialContext, listen: c.Listen}
}

// deaf is a link that does not answer until ctx ends.
func deaf() *fakeLink {
	return &fakeLink{
		dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		listen: func(ctx context.Context, _, _ string) (net.Listener, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
}

// openSets counts what newSet made and did not close yet.
var openSets atomic.Int64

// newSet is New with sensible limits, closed with the test, which fails if goroutines
// are left then.
func newSet(t testing.TB, c Config) *Set {
	t.Helper()
	if c.HoldTimeout == 0 {
		c.HoldTimeout = patience
	}
	if c.MaxHeld == 0 {
		c.MaxHeld = 256
	}
	c.ExitOnForwardFailure = true
	c.StreamLocalBindMask = 0o177
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	openSets.Add(1)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(ctx)
		if openSets.Add(-1) == 0 {
			noGoroutines(t)
		}
	})
	return s
}

// noGoroutines fails the test if some of this package's own are still there.
func noGoroutines(t testing.TB) {
	t.Helper()
	testbed.WaitFor(t, patience, func() error {
		for _, g := range strings.Split(allStacks(), "\n\n") {
			if strings.Contains(g, "holdfast/forward.(*") && !strings.Contains(g, "forward.Test") {
				return errors.New("left running: " + g)
			}
		}
		return nil
	})
}

// allStacks is what every goroutine does.
func allStacks() string {
	buf := make([]byte, 8<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// use puts a link to use where there is one slot.
func use(t testing.TB, s *Set, l Link) {
	t.Helper()
	useAt(t, slotOf(s), l)
}

// slotOf is the slot of the link in use, or a new one.
func slotOf(s *Set) *Slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.first(); n != nil {
		return n.slot
	}
	return s.Slot()
}

// tcp and sock are addresses in a forward.
func tcp(a net.Addr) tunnelfile.Address {
	ap := a.(*net.TCPAddr)
	return tunnelfile.Address{Host: ap.IP.String(), Port: ap.Port, Bind: true}
}

func sock(path string) tunnelfile.Address { return tunnelfile.Address{Unix: path} }

// loopback is a listen address with a port of the kernel's choice.
var loopback = tunnelfile.Address{Host: "127.0.0.1", Bind: true}

func local(listen, target tunnelfile.Address) tunnelfile.Forward {
	return tunnelfile.Forward{Kind: tunnelfile.LocalForward, Listen: listen, Target: target, Text: listen.String() + " " + target.String()}
}

func dynamic(listen tunnelfile.Address) tunnelfile.Forward {
	return tunnelfile.Forward{Kind: tunnelfile.DynamicForward, Listen: listen, Text: listen.String()}
}

func remote(listen, target tunnelfile.Address) tunnelfile.Forward {
	return tunnelfile.Forward{Kind: tunnelfile.RemoteForward, Listen: listen, Target: target, Text: listen.String() + " " + target.String()}
}

// addr is where the i-th forward listens here.
func (s *Set) addr(i int) net.Addr { return s.forwards[i].ports[0].listener.Addr() }

func connect(t testing.TB, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(a.Network(), a.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func socketPath(t testing.TB, name string) string {
	return filepath.Join(testbed.SocketDir(t), name)
}
