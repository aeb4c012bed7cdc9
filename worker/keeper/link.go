package keeper

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Link is an established SSH connection, as a keeper uses it.
type Link interface {
	Ping(ctx context.Context) (time.Duration, error) // asks the server for an answer; returns the round trip
	LastReceived() time.Time                         // when the last byte came
	Unanswered() time.Time                           // when the first byte after that was written; zero: none was
	Busy() <-chan struct{}                           // a token after the first write since then
	Wait() error                                     // returns when the link is lost, with the reason
	Close() error                                    // closes it at once
	LocalAddr() net.Addr
	RemoteAddr() net.Addr

	// Progress is how many bytes the server's kernel has acknowledged, and how many wait for that. On a slow
	// line a ping waits behind data that was written before it, which is no stall. ok is false if unknown.
	Progress() (acknowledged, queued uint64, ok bool)
}

// managedLink is a link of a keeper: the one in use, or an old one that drains. The goroutine of Run owns
// the fields that change.
type managedLink struct {
	link    Link
	since   time.Time          // when it was established
	context context.Context    // ends with the link, and abandons what waits for it
	cancel  context.CancelFunc //
	pingNow chan struct{}      // cap 1: send a ping now

	suspect  bool      // a ping was not answered in time
	answers  bool      // it has answered a ping
	used     bool      // Use has returned: the forwards are on it
	stale    bool      // made with settings that are no longer in force
	replaced time.Time // when another link replaced it; zero if none did
	release  func()    // gives the handshake's slot back; may be called more than once
}

// proven says whether a link has proved to work: the server has answered a ping, and all requests to
// listen for remote forwards.
func (m *managedLink) proven() bool { return m.answers && m.used }

// watch is the goroutine that watches one link. It sends pings when needed and posts its findings to the
// goroutine of Run. It has no ticker: while the link is idle it sleeps.
func (k *Keeper) watch(m *managedLink) {
	alarm := newAlarm()
	defer alarm.close()
	var (
		pinged    time.Time
		moved     time.Time
		before    queue
		rtt       time.Duration
		pong      = make(chan time.Duration, 1)
		suspected bool
		pingAgain bool      // asked for while a ping was under way: its answer may be older, so another ping follows
		inUse     time.Time // until then a write does not wake this goroutine, see below
	)
	send := func() {
		pinged, moved, before = time.Now(), time.Time{}, queueBefore(m.link)
		go func() {
			rtt, err := m.link.Ping(m.context)
			if err == nil {
				pong <- rtt // never blocks, because there is one ping at a time
			} // on an error the link is lost, and Wait says why
		}()
	}
	send() // the first answer gives the round trip
	for {
		received, policy := m.link.LastReceived(), k.watching.Load()
		now := time.Now() // after received was read: what came meanwhile is not from the future
		if received.After(now) {
			received = now.Add(-policy.ServerAliveInterval) // the machine's clock was set back
		}
		if pinged.IsZero() { // all idle tunnels of a machine send pings at the same time, so that it wakes once
			received = alignToBoot(received, policy.ServerAliveInterval/2)
		}
		seen := silence{received, m.link.Unanswered(), pinged, rtt, moved}
		verdict, again := policy.judge(seen, now)
		if verdict == suspect && !suspected && before.moves(m.link) {
			moved, seen.moved = now, now
			verdict, again = policy.judge(seen, now)
		}
		switch verdict {
		case sendPing:
			send()
			continue
		case dead:
			k.post(func() { k.dropLink(m, silentError(now.Sub(m.link.LastReceived()))) })
			return
		}
		if s := verdict == suspect; s != suspected {
			suspected = s
			k.post(func() { k.suspect(m, s) })
		}
		// In a link with traffic every write after an answer would wake this goroutine. Look once in
		// stallAfter instead: no answer is overdue earlier. While a write is unanswered, further
		// writes tell nothing new.
		busy := m.link.Busy()
		switch {
		case !seen.unanswered.IsZero() || !pinged.IsZero():
			busy = nil
		case now.Before(inUse):
			busy, again = nil, earlier(again, inUse)
		}
		if again.IsZero() {
			alarm.stop()
		} else {
			alarm.reset(again.Sub(now))
		}
		select {
		case <-m.context.Done():
			return
		case <-alarm.C:
		case <-busy:
			inUse = time.Now().Add(stallAfter)
		case <-m.pingNow:
			if pingAgain = !pinged.IsZero(); !pingAgain {
				send()
			}
		case measured := <-pong:
			select {
			case <-m.link.Busy(): // of the ping itself; what was written after it is seen by Unanswered
			default:
			}
			pinged, rtt = time.Time{}, smoothed(rtt, measured)
			now := rtt
			k.post(func() { k.answered(m, now) })
			if pingAgain {
				pingAgain = false
				send()
			}
		}
	}
}

// errSilent is why a link was closed whose server no longer answers.
var errSilent = fault.New(fault.Lost, "no answer from the server")

func silentError(d time.Duration) error {
	return fmt.Errorf("%w for %s", errSilent, d.Round(time.Second))
}

// errAddressGone is why a link was closed at once when the network changed.
var errAddressGone = fault.New(fault.Lost, "this machine no longer has the connection's address")

// addressGone says whether this machine no longer has a connection's local address. Such a connection can
// never receive an answer.
func addressGone(local net.Addr, machine []netip.Addr) bool {
	tcp, ok := local.(*net.TCPAddr)
	if !ok || len(machine) == 0 {
		return false // not a TCP connection of ours, or the addresses are not known
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

// machineAddresses are the addresses of this machine's interfaces; empty if they cannot be read.
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
