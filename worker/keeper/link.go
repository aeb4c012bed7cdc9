package keeper

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Link is an established connection, as its keeper sees it.
type Link interface {
	Ping(ctx context.Context) (time.Duration, error) // asks for an answer; how long it took
	LastReceived() time.Time                         // when the last byte came
	Unanswered() time.Time                           // when the first byte was written since then; zero: none was
	Busy() <-chan struct{}                           // a token after a write that ended a silence
	Wait() error                                     // until it is lost: why
	Close() error                                    // at once
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

// Progressing is what a Link may have besides: how many bytes the server's kernel has
// acknowledged, and how many wait for that. On a slow line a ping waits behind what was
// written before it; that is no stall.
type Progressing interface {
	Progress() (acknowledged, queued uint64, ok bool)
}

// managedLink is a link in the keeper's care: the one in use, or an old one that drains.
// Its fields belong to the goroutine of Run, but for those that never change.
type managedLink struct {
	link    Link
	since   time.Time          // when it was established
	context context.Context    // ends with the link: whatever waits for it is abandoned
	cancel  context.CancelFunc //
	poke    chan struct{}      // cap 1: ask now

	suspect  bool      // asked, and not answered in time
	answers  bool      // it has answered a ping
	used     bool      // Use has returned: the forwards are on it
	stale    bool      // made from settings that are no longer in force
	replaced time.Time // when another took over; zero: not
	release  func()    // gives back the handshake's slot; may be called more than once
}

// proven says whether a link has shown that it is good for something: the server answered
// what it was asked, and whether it listens for the remote forwards.
func (h *managedLink) proven() bool { return h.answers && h.used }

// watch is a goroutine that asks when there is reason to, and reports what it finds.
// It sleeps while the link is idle: nothing in it ticks.
func (k *Keeper) watch(h *managedLink) {
	alarm := newAlarm()
	defer alarm.close()
	var (
		pinged    time.Time
		moved     time.Time
		before    queue
		rtt       time.Duration
		pong      = make(chan time.Duration, 1)
		suspected bool
		poked     bool      // while a ping was under way: its answer may be from before
		inUse     time.Time // until then what is written wakes nobody: stallAfter, see below
	)
	send := func() {
		pinged, moved, before = time.Now(), time.Time{}, ahead(h.link)
		go func() {
			rtt, err := h.link.Ping(h.context)
			if err == nil {
				pong <- rtt // never blocks: one ping at a time
			} // else the link is lost, and Wait says why
		}()
	}
	send() // the first answer tells the round trip
	for {
		now, policy := time.Now(), k.watching.Load()
		received := h.link.LastReceived()
		if received.After(now) {
			received = now.Add(-policy.ServerAliveInterval) // the machine's clock was set back
		}
		if pinged.IsZero() { // all idle tunnels of a machine ask at the same time: it wakes once
			received = together(received, policy.ServerAliveInterval/2)
		}
		seen := silence{received, h.link.Unanswered(), pinged, rtt, moved}
		verdict, again := policy.judge(seen, now)
		if verdict == suspect && !suspected && before.moves(h.link) {
			moved, seen.moved = now, now
			verdict, again = policy.judge(seen, now)
		}
		switch verdict {
		case ask:
			send()
			continue
		case dead:
			k.post(func() { k.giveUp(h, silentError(now.Sub(h.link.LastReceived()))) })
			return
		}
		if s := verdict == suspect; s != suspected {
			suspected = s
			k.post(func() { k.suspect(h, s) })
		}
		// Of a link in use each question would wake us: look once a stallAfter instead, which is
		// when the first of them may be overdue. A write that wakes us while something is
		// unanswered already tells nothing new.
		busy := h.link.Busy()
		switch {
		case !seen.unanswered.IsZero() || !pinged.IsZero():
			busy = nil
		case now.Before(inUse):
			busy, again = nil, sooner(again, inUse)
		}
		if again.IsZero() {
			alarm.stop()
		} else {
			alarm.reset(again.Sub(now))
		}
		select {
		case <-h.context.Done():
			return
		case <-alarm.C:
		case <-busy:
			inUse = time.Now().Add(stallAfter)
		case <-h.poke:
			if poked = !pinged.IsZero(); !poked {
				send()
			}
		case measured := <-pong:
			pinged, rtt = time.Time{}, smoothed(rtt, measured)
			now := rtt
			k.post(func() { k.answered(h, now) })
			if poked {
				poked = false
				send()
			}
		}
	}
}

// errSilent is why a link was given up whose server no longer answers.
var errSilent = fault.New(fault.Lost, "no answer from the server")

func silentError(d time.Duration) error {
	return fmt.Errorf("%w for %s", errSilent, d.Round(time.Second))
}

// errAddressGone is why a link was given up at once when the network changed.
var errAddressGone = fault.New(fault.Lost, "this machine no longer has the connection's address")

// addressGone says whether a connection's own address is none of this machine's any
// more: it can never receive an answer again.
func addressGone(local net.Addr, machine []netip.Addr) bool {
	tcp, ok := local.(*net.TCPAddr)
	if !ok || len(machine) == 0 {
		return false // not a TCP connection of ours, or nothing is known
	}
	address, ok := netip.AddrFromSlice(tcp.IP)
	if !ok || address.IsUnspecified() {
		return false
	}
	address = address.Unmap()
	if address.IsLoopback() {
		return false
	}
	for _, a := range machine {
		if a.Unmap().WithZone("") == address {
			return false
		}
	}
	return true
}

// machineAddresses are the addresses of this machine's interfaces; empty when they
// cannot be read.
func machineAddresses() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addresses []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addresses = append(addresses, p.Addr())
		}
	}
	return addresses
}
