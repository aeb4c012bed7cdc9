package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// useAt puts a link to use at a slot.
func useAt(t testing.TB, s *Set, slot int, l Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Use(ctx, slot, l); err != nil {
		t.Fatal(err)
	}
}

// stalling is a link that owes an answer.
type stalling struct{ *fakeLink }

func (stalling) Unanswered() time.Time { return time.Now().Add(-time.Minute) }

func TestLeastLoaded(t *testing.T) {
	with := func(channels int64, l Link) *lane {
		n := newLane(l)
		n.channels.Store(channels)
		return n
	}
	idle, other, busy := with(0, direct()), with(0, direct()), with(5, direct())
	stalls, idleStalls := with(1, stalling{direct()}), with(0, stalling{direct()})
	for _, c := range []struct {
		what          string
		lanes, failed []*lane
		want          *lane
	}{
		{"none", nil, nil, nil},
		{"one", []*lane{busy}, nil, busy},
		{"one that failed", []*lane{busy}, []*lane{busy}, nil},
		{"the least loaded", []*lane{busy, idle}, nil, idle},
		{"the oldest of several", []*lane{idle, other}, nil, idle},
		{"not one that failed", []*lane{idle, busy}, []*lane{idle}, busy},
		{"all failed", []*lane{idle, busy}, []*lane{busy, idle}, nil},
		{"not one that stalls", []*lane{idleStalls, busy}, nil, busy},
		{"unless all do", []*lane{stalls, idleStalls}, nil, idleStalls},
	} {
		if got := leastLoaded(c.lanes, c.failed); got != c.want {
			t.Errorf("%s: %p, want %p", c.what, got, c.want)
		}
	}
}

// Channels spread evenly over real connections; when one is lost its own die and the
// others go on, and what comes then is served by those.
func TestChannelsSpread(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}, Connections: 4})
	var links []*sshLink
	for place := range 4 {
		l := dialSSH(t, server, server.Addr)
		useAt(t, s, place, l)
		defer s.Lost(l)
		links = append(links, l)
	}
	var conns []net.Conn
	for range 8 {
		conns = append(conns, connect(t, s.addr(0))) // all at once, whatever each is about to cost
	}
	for _, l := range links {
		testbed.WaitFor(t, patience, func() error {
			if n := s.Load(l); n != 2 {
				return fmt.Errorf("%d channels on one link of four", n)
			}
			return nil
		})
	}
	testbed.WaitFor(t, patience, func() error { // one that is being opened would go to another link
		if n := s.Totals().ChannelsTotal; n != 8 {
			return fmt.Errorf("%d channels opened", n)
		}
		return nil
	})
	s.Lost(links[1])
	links[1].Close()
	var mu sync.Mutex
	var wg sync.WaitGroup
	died := 0
	for _, c := range conns {
		wg.Go(func() {
			if err := testbed.EchoThrough(c, 4<<20, patience); err != nil {
				mu.Lock()
				died++
				mu.Unlock()
			}
		})
	}
	testbed.CheckEcho(t, connect(t, s.addr(0)), 1000, patience)
	wg.Wait()
	if died != 2 {
		t.Errorf("%d connections died with one link of four, want 2 of 8", died)
	}
}

// Remote forwards live on the oldest link, and move to the next when that is lost; a link
// at another place leaves them alone.
func TestRemoteForwardMovesToTheNext(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	there := freeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(there), tcp(echo))}, Connections: 2})
	s.pace = pace{10 * time.Millisecond}
	first, second := dialSSH(t, server, server.Addr), dialSSH(t, server, server.Addr)
	useAt(t, s, 0, first)
	useAt(t, s, 1, second)
	defer s.Lost(second)
	c := connect(t, there)
	testbed.WaitFor(t, patience, func() error {
		if a, b := s.Load(first), s.Load(second); a != 1 || b != 0 {
			return fmt.Errorf("%d channels on the first, %d on the second", a, b)
		}
		return nil
	})
	testbed.CheckEcho(t, c, 1000, patience)
	s.Lost(first)
	first.Close()
	testbed.WaitFor(t, patience, func() error { // until the server knows, the lost one takes connections along
		conn, err := net.DialTimeout(there.Network(), there.String(), patience)
		if err != nil {
			return err
		}
		return testbed.EchoThrough(conn, 1000, patience)
	})
	awaitState(t, s, 0, tunnelfile.Up)

	third := dialSSH(t, server, server.Addr)
	useAt(t, s, 0, third)
	defer s.Lost(third)
	open := connect(t, there)
	testbed.WaitFor(t, patience, func() error {
		if a, b := s.Load(second), s.Load(third); a != 1 || b != 0 {
			return fmt.Errorf("%d channels on the second, %d on the third", a, b)
		}
		return nil
	})
	testbed.CheckEcho(t, open, 1000, patience)
}

// A visitor goes through all links that fail before it waits, and waits no longer than until
// the next.
func TestVisitorTriesEachLink(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}, Connections: 3})
	opens := make(chan int, 100)
	for place := range 2 {
		odd := &fakeLink{dial: func(context.Context, string, string) (net.Conn, error) {
			opens <- place
			return nil, errors.New("odd")
		}}
		useAt(t, s, place, odd)
		defer s.Lost(odd)
	}
	c := connect(t, s.addr(0))
	awaitPending(t, s, 1)
	if n := len(opens); n != 2 {
		t.Errorf("%d opens, want one on each of two links", n)
	}
	link := direct()
	useAt(t, s, 2, link)
	defer s.Lost(link)
	testbed.CheckEcho(t, c, 1000, patience)
}

// With fewer links in the file what is too many gets no new channels, and keeps those it has.
func TestFewerLinks(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	c := Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}, Connections: 2, HoldTimeout: patience, MaxHeld: 256}
	s := newSet(t, c)
	first, second := direct(), direct()
	useAt(t, s, 0, first)
	defer s.Lost(first)
	useAt(t, s, 1, second)
	defer s.Lost(second)
	loads := func(a, b int) {
		t.Helper()
		testbed.WaitFor(t, patience, func() error {
			if x, y := s.Load(first), s.Load(second); x != a || y != b {
				return fmt.Errorf("%d and %d channels, want %d and %d", x, y, a, b)
			}
			return nil
		})
	}
	one, two := connect(t, s.addr(0)), connect(t, s.addr(0))
	loads(1, 1)
	c.Connections = 1
	c.Forwards = []tunnelfile.Forward{s.forwards[0].settings()}
	if err := s.Apply(c); err != nil {
		t.Fatal(err)
	}
	connect(t, s.addr(0))
	connect(t, s.addr(0))
	loads(3, 1)
	late := direct()
	useAt(t, s, 1, late) // it was on its way
	connect(t, s.addr(0))
	loads(4, 1)
	testbed.CheckEcho(t, one, 1000, patience)
	testbed.CheckEcho(t, two, 1000, patience)
	loads(3, 0)
}
