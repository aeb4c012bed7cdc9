package forward

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A channel that moves much is bulk, and what comes then goes elsewhere; channels that were opened
// just now are told; and nobody looks once nothing moves.
func TestSampler(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(loopback, tcp(echo))}})
	first, second := direct(), direct()
	useAt(t, s.Slot(), first)
	defer s.Lost(first)
	s.Watch(true)
	until := func(what string, is func(Load) bool) {
		t.Helper()
		var last Load
		testbed.WaitFor(t, patience, func() error {
			select {
			case last = <-s.Loads():
			default:
			}
			if !is(last) {
				return fmt.Errorf("%s: %+v", what, last)
			}
			return nil
		})
	}
	var few []net.Conn
	for range 3 {
		few = append(few, connect(t, s.addr(0)))
	}
	until("three were opened", func(l Load) bool { return l.Fresh == 3 && l.Bulk == 0 })
	for _, c := range few {
		c.Close()
	}

	bulk := connect(t, s.addr(0))
	go io.Copy(bulk, zeros{})
	go io.Copy(io.Discard, bulk)
	until("one moves much", func(l Load) bool { return l.Bulk == 1 && l.BulkLinks == 1 && l.Fresh == 0 })
	useAt(t, s.Slot(), second)
	defer s.Lost(second)
	for range 3 {
		connect(t, s.addr(0))
	}
	testbed.WaitFor(t, patience, func() error {
		if a, b := s.Load(first), s.Load(second); a != 1 || b != 3 {
			return fmt.Errorf("%d channels beside bulk, %d elsewhere", a-1, b)
		}
		return nil
	})
	bulk.Close()
	testbed.WaitFor(t, patience, func() error {
		if s.sampler.state.Load() != asleep {
			return fmt.Errorf("it is still looked")
		}
		return nil
	})
	s.Watch(false)
	testbed.CheckEcho(t, connect(t, s.addr(0)), 1<<20, patience)
	if s.sampler.state.Load() != off {
		t.Error("it is looked where nothing depends on it")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A loss counts once, however many packets come out of order by it, and not for ever.
func TestLosses(t *testing.T) {
	var p sampler
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		after time.Duration
		lost  bool
		want  int
	}{{0, true, 1}, {lossApart / 2, true, 1}, {lossApart, true, 2}, {lossWindow / 2, false, 2}, {lossWindow / 2, true, 2}, {2 * lossWindow, false, 0}} {
		now = now.Add(c.after)
		if got := p.count(c.lost, now); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
