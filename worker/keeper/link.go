package keeper

import (
	"context"
	"net"
	"net/netip"
	"slices"
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

// errAddressGone is why a link was closed at once when the network changed.
var errAddressGone = fault.New(fault.Lost, "this machine no longer has the connection's address")

// addressGone says whether this machine no longer has a connection's local address. Such a connection can
// never receive an answer.
func addressGone(local net.Addr, machine []netip.Addr) bool {
	tcp, ok := local.(*net.TCPAddr)
	if !ok || len(machine) == 0 {
		return false // not a TCP connection of ours, or the addresses are not known
	}
	address := tcp.AddrPort().Addr().Unmap().WithZone("")
	return address.IsValid() && !address.IsUnspecified() && !address.IsLoopback() && !slices.Contains(machine, address)
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
