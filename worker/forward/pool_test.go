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
func useAt(t testing.TB, slot *Slot, l Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := slot.Use(ctx, l); err != nil {
		t.Fatal(err)
	}
}

// owing is a link that owes an answer for so long.
type owing struct {
	*fakeLink
	since time.Duration
}

func (l owing) Unanswered() time.Time { return time.Now().Add(-l.since) }

func TestBest(t *testing.T) {
	with := func(channels int64, l Link) *lane {
		n := newLane(l)
		n.channels.Store(channels)
		return n
	}
	idle, other, busy := with(0, direct()), with(0, direct()), with(5, direct())
	recent, heavy, quiet := with(0, direct()), with(1, direct()), with(9, direct())
	recent.chosen, heavy.bulk, quiet.quiet = 7, 1, 8
	owes, idleOwes := with(1, owing{direct(), time.Minute}), with(0, owing{direct(), time.Minute})
	slow := with(0, owing{direct(), 300 * time.Millisecond})
	late := with(0, owing{direct(), 300 * time.Millisecond})
	late.rtt = 100 * time.Millisecond
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
		{"the one that was not chosen for longest", []*lane{recent, idle}, nil, idle},
		{"not behind bulk", []*lane{heavy, busy}, nil, busy},
		{"quiet channels are in nobody's way", []*lane{busy, quiet}, nil, quiet},
		{"not one that failed", []*lane{idle, busy}, []*lane{idle}, busy},
		{"all failed", []*lane{idle, busy}, []*lane{busy, idle}, nil},
		{"not one that owes an answer", []*lane{idleOwes, busy, heavy}, nil, busy},
		{"unless all do", []*lane{owes, idleOwes}, nil, idleOwes},
		{"an answer in time", []*lane{slow, busy}, nil, slow},
		{"one that is late on this line", []*lane{late, busy}, nil, busy},
	} {
		if got := best(c.lanes, c.failed); got != c.want {
			t.Errorf("%s: %p, want %p", c.what, got, c.want)
		}
	}
}

// Channels spread evenly over real connections; when one is lost its own die and the
// others go on, and what comes then is served by those.
func TestChannelsSpread(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	var links []*sshLink
	for range 4 {
		l := dialSSH(t, server, server.Addr)
		useAt(t, s.Slot(), l)
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
	there := testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{remote(tcp(there), tcp(echo))}})
	s.pace = pace{10 * time.Millisecond}
	first, second := dialSSH(t, server, server.Addr), dialSSH(t, server, server.Addr)
	slot := s.Slot()
	useAt(t, slot, first)
	useAt(t, s.Slot(), second)
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
		return testbed.EchoAt(there.String(), 1000, patience)
	})
	awaitState(t, s, 0, tunnelfile.Up)

	third := dialSSH(t, server, server.Addr)
	useAt(t, slot, third)
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
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	opens := make(chan int, 100)
	for place := range 2 {
		odd := &fakeLink{dial: func(context.Context, string, string) (net.Conn, error) {
			opens <- place
			return nil, errors.New("odd")
		}}
		useAt(t, s.Slot(), odd)
		defer s.Lost(odd)
	}
	c := connect(t, s.addr(0))
	awaitPending(t, s, 1)
	if n := len(opens); n != 2 {
		t.Errorf("%d opens, want one on each of two links", n)
	}
	link := direct()
	useAt(t, s.Slot(), link)
	defer s.Lost(link)
	testbed.CheckEcho(t, c, 1000, patience)
}

// A slot that is closed gets no new channels, and keeps those it has; one with channels is not
// closed as an idle one.
func TestClosedSlot(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}, HoldTimeout: patience, MaxHeld: 256})
	first, second, third := direct(), direct(), direct()
	useAt(t, s.Slot(), first)
	defer s.Lost(first)
	slot, idle := s.Slot(), s.Slot()
	useAt(t, slot, second)
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
	if slot.CloseIdle() {
		t.Error("a slot with a channel was closed as an idle one")
	}
	useAt(t, idle, third)
	defer s.Lost(third)
	if !idle.CloseIdle() {
		t.Error("an idle slot was not closed")
	}
	slot.Close()
	connect(t, s.addr(0))
	connect(t, s.addr(0))
	loads(3, 1)
	late := direct()
	useAt(t, slot, late) // it was on its way
	connect(t, s.addr(0))
	loads(4, 1)
	testbed.CheckEcho(t, one, 1000, patience)
	testbed.CheckEcho(t, two, 1000, patience)
	loads(3, 0)
}
