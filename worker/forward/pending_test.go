package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// wasReset fails the test unless c is reset by its peer.
func wasReset(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d, %v; not a reset", n, err)
	}
}

// isReset fails the test unless a new connection to a is reset.
func isReset(t *testing.T, a net.Addr) {
	t.Helper()
	if err := testbed.Refusal(a.Network(), a.String()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v; not a reset", err)
	}
}

func awaitPending(t *testing.T, s *Set, n int64) {
	t.Helper()
	testbed.WaitFor(t, patience, func() error {
		if held := s.Totals().Held; held != n {
			return fmt.Errorf("%d held, not %d", held, n)
		}
		return nil
	})
}

// What connects without a link waits, is served in order of arrival when one comes,
// and loses no byte.
func TestHeldConnectionsAreServedInOrder(t *testing.T) {
	const connections = 100
	var mu sync.Mutex
	var order []int // the numbers that clients sent, in the order in which their channels were opened
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(testbed.Echo(t, "tcp", "127.0.0.1:0")))}})
	var clients []net.Conn
	for i := range connections {
		c := connect(t, s.addr(0))
		fmt.Fprintf(c, "%02d", i)
		clients = append(clients, c)
		awaitPending(t, s, int64(i+1))
	}
	if !s.IdleSince().IsZero() {
		t.Error("idle with connections held")
	}
	link := &fakeLink{dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		here, there := net.Pipe()
		mu.Lock()
		order = append(order, len(order))
		i := len(order) - 1
		mu.Unlock()
		go func() {
			defer there.Close()
			var number [2]byte
			if _, err := io.ReadFull(there, number[:]); err == nil {
				fmt.Fprintf(there, "%s of %02d", number[:], i)
			}
		}()
		return here, nil
	}}
	use(t, s, link)
	defer s.Lost(link)
	var places []int // of the clients, in order of arrival
	for i, c := range clients {
		var number, place int
		if _, err := fmt.Fscanf(c, "%d of %d", &number, &place); err != nil || number != i {
			t.Fatalf("client %d was answered as %d, %v", i, number, err)
		}
		places = append(places, place)
	}
	// The scheduler may stop one just before it opens its channel, and so let others pass.
	// Without any order half of all pairs, 2475, would have changed places.
	overtaken := 0
	for i, later := range places {
		for _, earlier := range places[:i] {
			if earlier > later {
				overtaken++
			}
		}
	}
	if overtaken > 1000 {
		t.Errorf("served in the order %v", places)
	}
	awaitPending(t, s, 0)
}

func TestHoldLimits(t *testing.T) {
	forwards := []tunnelfile.Forward{local(loopback, tcp(testbed.FreeAddr(t)))}
	t.Run("MaxHeld", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards, MaxHeld: 2})
		connect(t, s.addr(0))
		connect(t, s.addr(0))
		awaitPending(t, s, 2)
		isReset(t, s.addr(0))
		awaitPending(t, s, 2)
	})
	t.Run("HoldTimeout", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards, HoldTimeout: 100 * time.Millisecond})
		begin := time.Now()
		isReset(t, s.addr(0))
		if waited := time.Since(begin); waited < 100*time.Millisecond {
			t.Errorf("reset after %v", waited)
		}
		awaitPending(t, s, 0)
	})
	t.Run("HoldTimeout 0", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards, HoldTimeout: -1}) // newSet takes 0 for not given
		isReset(t, s.addr(0))
	})
	t.Run("a client that gave up frees its place", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards, MaxHeld: 1})
		c := connect(t, s.addr(0))
		awaitPending(t, s, 1)
		reset(c)
		awaitPending(t, s, 0)
		connect(t, s.addr(0))
		awaitPending(t, s, 1)
	})
	t.Run("a client that half-closed keeps its place until another needs it", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards, MaxHeld: 2})
		open, half := connect(t, s.addr(0)), connect(t, s.addr(0))
		awaitPending(t, s, 2)
		closeWrite(half)
		s.lookAtPending()
		awaitPending(t, s, 2)
		connect(t, s.addr(0))
		wasReset(t, half)
		isReset(t, s.addr(0))
		awaitPending(t, s, 2)
		open.SetReadDeadline(time.Now())
		if _, err := open.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the first one: %v", err)
		}
	})
	t.Run("Refuse and Accept", func(t *testing.T) {
		s := newSet(t, Config{Forwards: forwards})
		held := connect(t, s.addr(0))
		awaitPending(t, s, 1)
		s.Refuse(fault.HostKeyChanged, "host key changed")
		wasReset(t, held)
		isReset(t, s.addr(0))
		if r := s.Report()[0]; r.State != tunnelfile.Blocked || r.Message != "host key changed" {
			t.Errorf("reported %+v", r)
		}
		s.Accept()
		connect(t, s.addr(0))
		awaitPending(t, s, 1)
	})
}

// A channel that cannot be opened because the link dies is opened on the next link,
// before those that came later.
func TestDyingLinkPutsConnectionsBack(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	late := make(chan struct{}) // the first one learns of the loss only after the second came
	dying := &fakeLink{dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		<-late
		return nil, ctx.Err()
	}}
	use(t, s, dying)
	first := connect(t, s.addr(0))
	testbed.WaitFor(t, patience, func() error {
		if n := s.Load(dying); n != 1 {
			return fmt.Errorf("%d channels being opened", n)
		}
		return nil
	})
	s.Lost(dying)
	second := connect(t, s.addr(0))
	awaitPending(t, s, 1)
	close(late)
	awaitPending(t, s, 2)
	s.mu.Lock()
	a, b := s.pending.waiting[0].conn.RemoteAddr().String(), s.pending.waiting[1].conn.RemoteAddr().String()
	s.mu.Unlock()
	if a != first.LocalAddr().String() || b != second.LocalAddr().String() {
		t.Error("out of order")
	}
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	testbed.CheckEcho(t, first, 1000, patience)
	testbed.CheckEcho(t, second, 1000, patience)
}

// When another link takes over, what was being opened on a link that does not answer
// does not wait for the verdict on it.
func TestOpeningMovesFromSuspectLink(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	suspect, link := deaf(), direct()
	use(t, s, suspect)
	defer s.Lost(suspect)
	c := connect(t, s.addr(0))
	testbed.WaitFor(t, patience, func() error {
		if s.Load(suspect) != 1 {
			return errors.New("not being opened")
		}
		return nil
	})
	use(t, s, link)
	defer s.Lost(link)
	testbed.CheckEcho(t, c, 1000, openGrace+patience)
}

// A target that refuses is no reason to wait for another link.
func TestTargetRefuses(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	nowhere := testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(nowhere))}})
	use(t, s, link)
	defer s.Lost(link)
	isReset(t, s.addr(0))
	r := s.Report()[0]
	if want := nowhere.String() + " refuses connections"; r.State != tunnelfile.Up || r.Message != want {
		t.Errorf("reported %s: %s", r.State, r.Message)
	}
	isReset(t, s.addr(0))
	r = s.Report()[0]
	now := r.LastFailure.Add(12 * time.Second)
	if want := nowhere.String() + " refuses connections, 2 times, last 12 s ago"; r.State != tunnelfile.Up || r.Reason != fault.Target || r.Note(now) != want {
		t.Errorf("reported %s [%s]: %s", r.State, r.Reason, r.Note(now))
	}
	if totals := s.Totals(); totals.Refused != 2 || totals.Held != 0 || totals.ChannelsTotal != 0 {
		t.Errorf("counted %+v", totals)
	}
}

// An error that is neither the target's nor followed by Lost waits for the next link
// instead of trying the same one for ever.
func TestOddErrorOfLinkWaits(t *testing.T) {
	opens := make(chan struct{}, 100)
	odd := &fakeLink{dial: func(context.Context, string, string) (net.Conn, error) {
		opens <- struct{}{}
		return nil, io.EOF
	}}
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(testbed.FreeAddr(t)))}})
	use(t, s, odd)
	defer s.Lost(odd)
	c := connect(t, s.addr(0))
	awaitPending(t, s, 1)
	if n := len(opens); n != 1 {
		t.Errorf("%d opens", n)
	}
	refusing := &fakeLink{dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection refused"}
	}}
	use(t, s, refusing)
	defer s.Lost(refusing)
	wasReset(t, c)
}
