package keeper

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestAtOnceAfterAGoodLink(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) { c.Policy.GateTime = 0 })
	first := h.up()
	lost := time.Now()
	first.fail(errReset)
	h.up()
	if took := time.Since(lost); took > 500*time.Millisecond {
		t.Errorf("up again after %v", took)
	}
	h.until("counted", func() bool { return h.last.Reconnects == 1 && len(h.lost) == 1 })
}

func TestWaitsAfterAShortLink(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.up().fail(errReset)
	h.untilState(tunnelfile.Retrying)
	h.set(func() {
		if h.last.NextTry.IsZero() || h.last.Text != "in 1s, connection reset by peer" {
			t.Errorf("says %q, next try %v", h.last.Text, h.last.NextTry)
		}
	})
	h.up()
}

func TestBlockedMakesNoAttempt(t *testing.T) {
	t.Parallel()
	for _, reason := range []fault.Reason{fault.Denied, fault.HostKeyUnknown, fault.Settings} {
		t.Run(string(reason), func(t *testing.T) {
			h := start(t, nil)
			h.dials <- reasoned(reason, "no")
			h.untilState(tunnelfile.Blocked)
			h.k.Suspend()
			h.k.Change(h.k.c.Policy, false) // the file was read again
			h.dials <- reasoned(reason, "no")
			h.untilState(tunnelfile.Offline)
			h.k.Probe()
			h.untilState(tunnelfile.Blocked)
			if n := h.dialedNow(); n != 2 {
				t.Errorf("%d attempts, want 2", n)
			}
			h.k.Probe()
			want := 2
			if reason.Class() == fault.ClassDistrusted {
				want = 3 // another network may have another machine of that name
				h.dials <- reasoned(reason, "no")
			}
			h.until("probed", func() bool { return h.dialed == want })
			h.untilState(tunnelfile.Blocked)
			h.k.Reconnect()
			h.up()
		})
	}
}

func TestBlockedUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	var h *harness
	h = start(t, func(c *Config) {
		look := c.Fingerprint
		c.Fingerprint = func() string {
			// Who hears that it is blocked may mend it at once: that must not be what is seen first.
			for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
				h.set(func() {
					if h.last.State == tunnelfile.Blocked && h.looks == 0 {
						t.Error("it was said to be blocked before anybody had looked at what may change")
					}
				})
				if t.Failed() {
					break
				}
			}
			return look()
		}
	})
	h.dials <- reasoned(fault.Denied, "permission denied")
	h.untilState(tunnelfile.Blocked)
	h.set(func() { h.seen = "a key more" })
	h.dials <- newFakeLink()
	h.untilState(tunnelfile.Up)
	if n := h.dialedNow(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestOnceEnds(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) { c.Once = true })
	h.dials <- errReset
	select {
	case err := <-h.ended:
		if !errors.Is(err, errReset) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("goes on")
	}
}

func TestReconnectIsMakeBeforeBreak(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.set(func() { h.open[first] = 2 })
	h.k.Reconnect()
	h.until("dialling beside", func() bool { return h.dialed == 2 && h.last.State == tunnelfile.Up })
	second := h.up()
	if first.closed() {
		t.Fatal("closed while channels run over it")
	}
	h.set(func() { h.open[first] = 0 })
	h.until("drained", func() bool { return first.closed() && len(h.lost) == 1 })
	if second.closed() {
		t.Error("the new link is closed too")
	}
}

func TestReconnectThatFailsKeepsTheLink(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.k.Reconnect()
	h.dials <- reasoned(fault.Denied, "permission denied")
	h.untilState(tunnelfile.Degraded)
	if first.closed() {
		t.Fatal("the link in use was closed")
	}
	first.fail(errReset)
	h.until("blocked by what failed", func() bool {
		return h.last.State == tunnelfile.Blocked && h.last.Text == "permission denied"
	})
	if n := h.dialedNow(); n != 2 {
		t.Errorf("%d attempts, want 2", n)
	}
}

func TestOlderLinkServesWhenTheNewOneIsLost(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.set(func() { h.open[first] = 1 })
	h.k.Reconnect()
	second := h.up()
	second.fail(errReset)
	h.until("back on the first", func() bool { return h.inUse == Link(first) && h.last.Link == Link(first) })
}

func TestStallIsFoundAndTheOldLinkKeptIfItAnswers(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.until("measured", func() bool { return h.last.RTT > 0 })
	first.setMute(true)
	stalled := time.Now()
	first.write()
	h.untilState(tunnelfile.Degraded)
	if took := time.Since(stalled); took < 2900*time.Millisecond || took > 4*time.Second {
		t.Errorf("suspect after %v, want 3 s", took)
	}
	h.until("dialling beside", func() bool { return h.dialed == 2 })
	first.setMute(false)
	h.untilState(tunnelfile.Up)
	h.set(func() {
		if h.last.Link != Link(first) || first.closed() {
			t.Error("the link that answers again was not kept")
		}
	})
}

func TestStallIsReplaced(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	first.setMute(true)
	first.write()
	second := h.up()
	h.until("the old link let go", func() bool { return first.closed() })
	if second.closed() {
		t.Error("the new link is closed too")
	}
}

func TestSilentLinkIsGivenUp(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) { c.Policy.ServerAliveInterval, c.Policy.ServerAliveCountMax = time.Second, 3 })
	first := h.up()
	first.setMute(true)
	silent := time.Now()
	h.until("given up", func() bool { return first.closed() })
	if took := time.Since(silent); took < 2500*time.Millisecond || took > 4*time.Second {
		t.Errorf("given up after %v, want 3 s", took)
	}
	h.up()
}

func TestIdleLinkIsLeftAlone(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.until("measured", func() bool { return h.last.RTT > 0 })
	h.k.Probe()
	h.until("asked by Probe", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.pings == 2
	})
	for range 100 { // writes that are answered ask for nothing
		first.write()
		first.mu.Lock()
		first.received, first.unanswered = time.Now(), time.Time{}
		first.mu.Unlock()
	}
	h.until("answers", func() bool { return h.k.Answers(t.Context()) == nil })
	if first.mu.Lock(); first.pings != 2 {
		t.Errorf("%d pings, want 2", first.pings)
	}
	first.mu.Unlock()
}

// TestProbeAsksAnew: what was asked before says nothing about the network of now, when its answer
// was on the way already.
func TestProbeAsksAnew(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) { c.Policy.ServerAliveInterval = time.Hour })
	first := h.up()
	pings := func() int {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.pings
	}
	h.until("measured", func() bool { return h.last.RTT > 0 })
	first.setMute(true)
	h.k.Probe()
	h.until("asked", func() bool { return pings() == 2 })
	h.k.Probe()
	h.until("taken in", func() bool { return h.k.Answers(t.Context()) == nil })
	first.setMute(false)
	h.until("asked anew", func() bool { return pings() == 3 })
}

func TestProbeDropsALinkWhoseAddressIsGone(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	here, gone := newFakeLink(), newFakeLink()
	here.local = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
	gone.local = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 99)}
	h.dials <- here
	h.until("up", func() bool { return h.inUse == Link(here) })
	h.k.Probe()
	if err := h.k.Answers(t.Context()); err != nil || here.closed() {
		t.Fatal("dropped a link whose address is there")
	}
	h.k.Reconnect()
	h.dials <- gone
	h.until("moved", func() bool { return h.inUse == Link(gone) })
	h.k.Probe()
	h.until("dropped", func() bool { return gone.closed() })
	h.up() // at once, although it lasted less than GateTime
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.k.Suspend()
	if err := h.k.Answers(t.Context()); err != nil || first.closed() {
		t.Fatal("an up link must be kept")
	}
	h.untilState(tunnelfile.Offline) // and yet there is no network
	first.fail(errReset)
	h.untilState(tunnelfile.Offline)
	if n := h.dialedNow(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
	h.k.Probe()
	h.up()
}

func TestEndClosesEverything(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.set(func() { h.open[first] = 1 })
	h.k.Reconnect()
	second := h.up()
	h.stop()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	if !first.closed() || !second.closed() {
		t.Error("a link outlives its keeper")
	}
	h.k.Probe() // must not hang
}

func TestPolicyReachesLinksThatStand(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) { c.Policy.ServerAliveInterval = 0 })
	first := h.up()
	p := h.k.c.Policy
	p.ServerAliveInterval, p.ServerAliveCountMax = time.Second, 2
	h.k.Change(p, false)
	h.until("measured", func() bool { return h.last.RTT > 0 })
	first.setMute(true)
	h.until("given up", func() bool { return first.closed() })
}

func TestProbeAbandonsAnAttemptFromAnAddressThatIsGone(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.until("dialling", func() bool { return h.dialed == 1 }) // and hangs
	h.k.Probe()
	if err := h.k.Answers(t.Context()); err != nil || h.dialedNow() != 1 {
		t.Fatal("an attempt was abandoned although nothing has changed")
	}
	h.k.post(func() {
		h.k.addresses = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.2")} }
	})
	h.k.Probe()
	h.until("dialling anew", func() bool { return h.dialed == 2 })
	h.up()
}

func TestAttemptsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	turns, done := make(chan struct{}), make(chan struct{}, 10)
	h := start(t, func(c *Config) {
		c.Turn = func(ctx context.Context) (func(), error) {
			select {
			case <-turns:
				return func() { done <- struct{}{} }, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	})
	h.until("begun", func() bool { return h.last.State == tunnelfile.Connecting })
	h.k.Suspend() // lets go of what waits
	h.untilState(tunnelfile.Offline)
	h.k.Probe()
	h.untilState(tunnelfile.Connecting)
	if n := h.dialedNow(); n != 0 {
		t.Fatal("an attempt out of turn")
	}
	turns <- struct{}{}
	h.dials <- errReset
	<-done
	turns <- struct{}{}
	h.up()
	<-done
}

func TestAbandonedAttemptKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	done, hung := make(chan struct{}, 10), make(chan struct{})
	defer close(hung)
	h := start(t, func(c *Config) {
		c.Turn = func(context.Context) (func(), error) { return func() { done <- struct{}{} }, nil }
		c.Dial = func(context.Context) (Link, error) {
			<-hung // whatever it is told
			return nil, errReset
		}
	})
	h.untilState(tunnelfile.Connecting)
	h.k.Suspend()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("its turn lasts")
	}
}

func TestRetireDrainsAndEnds(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.set(func() { h.open[first] = 1 })
	h.k.Reconnect()
	h.until("dialling beside", func() bool { return h.dialed == 2 }) // and hangs
	h.k.Retire()
	if h.k.Answers(t.Context()) != nil || first.closed() {
		t.Fatal("closed while channels run over it")
	}
	h.set(func() { h.open[first] = 0 })
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	if !first.closed() || len(h.lost) != 1 {
		t.Error("a link outlives its keeper")
	}
}

func TestNotCompleteWhileAnotherIsWanted(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.up()
	h.until("settled", func() bool { return h.last.Complete })
	h.k.Reconnect()
	h.until("not settled", func() bool { return !h.last.Complete && h.last.State == tunnelfile.Up })
	h.up()
	h.until("settled", func() bool { return h.last.Complete })
}

// TestPingIsNoTraffic: a link that only answers pings is not looked at between them.
func TestPingIsNoTraffic(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.until("looked at after the ping and after the answer", func() bool { return first.looked() == 2 })
	<-time.After(3 * stallAfter / 2)
	if n := first.looked(); n > 2 {
		t.Errorf("looked at %d times for one ping", n)
	}
}

// TestLinkInUseIsSeldomLookedAt: what is answered at once wakes nobody each time.
func TestLinkInUseIsSeldomLookedAt(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	first := h.up()
	h.until("measured", func() bool { return h.last.RTT > 0 })
	before := first.looked()
	const writes = 200
	for range writes {
		first.write()
		first.mu.Lock()
		first.received, first.unanswered = time.Now(), time.Time{}
		first.mu.Unlock()
		time.Sleep(time.Millisecond) // the time between two questions
	}
	if n := first.looked() - before; n > writes/10 {
		t.Errorf("looked at %d times in %d writes", n, writes)
	}
	// The first question that is not answered is noticed nevertheless.
	first.setMute(true)
	first.write()
	h.until("asked", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.pings == 2
	})
}
