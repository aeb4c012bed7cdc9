package keeper

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Config is the configuration of a Keeper. Dial, Use, Turn and Fingerprint are called from goroutines of
// their own. The other hooks are called from the keeper's goroutine and must not block.
type Config struct {
	Policy     Policy
	ServersDir string // for what tunnels to one server share across processes; empty: nothing

	Dial        func(ctx context.Context) (Link, error) // makes one attempt, and limits its duration
	Use         func(ctx context.Context, l Link) error // puts the forwards on l, which is in use from now on
	Lost        func(l Link, why error)                 // l is dead: nothing comes through it any more
	Draining    func(l Link) int                        // how many channels still run over a replaced link
	IdleSince   func() time.Time                        // when the last connection through the tunnel ended; zero: one is open
	State       func(s Status)                          // called with each change
	Fingerprint func() string                           // changes with anything that may repair a blocked tunnel

	// Turn waits until an attempt may begin. The keeper calls done, perhaps more than once, when the
	// attempt has ended or was abandoned.
	Turn func(ctx context.Context) (done func(), err error)

	Once bool // Run ends with the first failed attempt or lost link

	Log *slog.Logger
}

// Keeper keeps one link up. Its methods may be called from any goroutine while Run runs.
type Keeper struct {
	c     Config
	calls chan func()
	done  chan struct{} // closed when Run has ended

	addresses func() []netip.Addr
	watching  atomic.Pointer[Policy] // policy, for the watchers of the links

	// The goroutine of Run owns the fields below.

	ctx    context.Context
	policy Policy
	server server

	link    *managedLink       // in use; nil if none
	old     []*managedLink     // replaced links that drain
	using   context.CancelFunc // ends the call of Use under way; nil if none
	attempt *attempt

	wanted     bool // a new link is wanted although the one in use answers
	suspended  bool // no network: no attempts
	blocked    bool // a person is needed: no attempts, except those of RetryDenied=
	blockCount int  // counts how often it became blocked
	retired    bool // all links drain, and then Run ends
	force      bool // the next attempt does not wait for the penalty clock

	last         Failure
	lastErr      error         // why the last attempt failed, or the last link was lost; nil if nothing is wrong
	failures     int           // failed attempts in a row that count
	rapid        bool          // attempts follow each other fast: the last failure did not count
	startedOver  time.Time     // when startOver was last called, or a bad link lost: elapsed of [Policy.Delay]
	nextTry      time.Time     // when the next attempt is due; zero: at once, or never while blocked
	plannedWait  time.Duration // the wait that nextTry was planned with
	rtt          time.Duration
	hadLink      bool // there was a link before
	reconnects   uint64
	unused       time.Duration // see nameUnusedTimeout
	published    Status
	stop         error           // the error that ends Run, with Once
	serverUp     <-chan struct{} // a token when another tunnel has reached the server; nil if nobody waits for it
	stopWatching context.CancelFunc
}

// New makes a keeper; Run starts it.
func New(c Config) *Keeper {
	k := &Keeper{
		c: c, policy: c.Policy, server: serverAt(c.ServersDir, c.Policy.Address),
		calls: make(chan func()), done: make(chan struct{}), addresses: machineAddresses,
	}
	k.watching.Store(&c.Policy)
	return k
}

// Run keeps the link up until ctx ends, or until the links have drained after Retire; then it returns
// nil. With Once it returns the error of the first failed attempt or lost link. It closes all links at
// the end.
func (k *Keeper) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer close(k.done)
	defer k.closeAll()
	defer cancel()
	k.ctx, k.startedOver = ctx, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if k.stop != nil {
			return k.stop
		}
		wake := k.startDue(time.Now())
		if k.retired && len(k.old) == 0 {
			return nil
		}
		if s := k.status(); s.differs(k.published) {
			k.published = s
			k.c.State(s)
		}
		timer.Stop()
		if !wake.IsZero() {
			timer.Reset(time.Until(wake))
		}
		select {
		case <-ctx.Done():
			return nil
		case f := <-k.calls:
			f()
		case <-timer.C:
		case <-k.serverUp:
			k.retryServer()
		}
	}
}

// post hands f to the goroutine of Run. It returns false when Run has ended.
func (k *Keeper) post(f func()) bool {
	select {
	case k.calls <- f:
		return true
	case <-k.done:
		return false
	}
}

// call is post, but returns after f has run.
func (k *Keeper) call(f func()) {
	ran := make(chan struct{})
	if k.post(func() { f(); close(ran) }) {
		<-ran
	}
}

// Probe says that the network may have changed. Each link gets a ping, or is dropped at once if this
// machine no longer has its local address. If there is no link, an attempt is made at once.
//
// A blocked keeper stays blocked, except by a host key: on another network another machine may have
// the server's name.
func (k *Keeper) Probe() {
	k.post(func() {
		k.suspended = false
		if k.blocked && k.last.Class == fault.ClassDistrusted {
			k.blocked = false
		}
		k.startOver()
		machine := k.addresses()
		for _, m := range k.all() {
			if addressGone(m.link.LocalAddr(), machine) {
				k.dropLink(m, errAddressGone)
			}
		}
		k.pingAll()
		// An attempt from an address that is gone cannot succeed. One that has reached nobody is
		// faster if it starts again.
		if a := k.attempt; a != nil && (a.trace.unreached() || !contains(machine, a.machine)) {
			k.abandon()
		}
	})
}

// contains says whether the machine still has all the addresses that it had.
func contains(has, had []netip.Addr) bool {
	return !slices.ContainsFunc(had, func(a netip.Addr) bool { return !slices.Contains(has, a) })
}

// pingAll makes the watcher of each link send a ping now.
func (k *Keeper) pingAll() {
	for _, m := range k.all() {
		select {
		case m.pingNow <- struct{}{}:
		default:
		}
	}
}

// Suspend says that the network is gone. No attempts are made until Probe or Reconnect. A link that is
// up stays in use until it is dead.
func (k *Keeper) Suspend() {
	k.post(func() {
		k.suspended = true
		k.abandon()
	})
}

// Reconnect makes a new link, and replaces the one in use when the new one is established. It also ends
// every wait.
func (k *Keeper) Reconnect() {
	k.post(func() {
		k.suspended, k.blocked = false, false
		k.wanted, k.force = true, true
		k.startOver()
	})
}

// Change puts another policy in force. redial says that the link's settings have changed: then a new
// link replaces the one in use, and an attempt with the old settings is abandoned.
func (k *Keeper) Change(p Policy, redial bool) {
	k.post(func() {
		if p.Address != k.policy.Address {
			k.unwatchServer()
			k.server = serverAt(k.c.ServersDir, p.Address)
		}
		k.policy = p
		k.watching.Store(&p)
		k.pingAll()
		k.blocked = false
		k.startOver()
		if !redial {
			return
		}
		k.wanted = true
		for _, m := range k.all() {
			m.stale = true
		}
		k.abandon()
	})
}

// Retire says that no link is wanted any more. The link in use drains like a replaced one, and then Run
// ends.
func (k *Keeper) Retire() {
	k.post(func() {
		k.retired = true
		k.stopUse()
		k.abandon()
		k.unwatchServer()
		if k.link != nil {
			k.link.replaced = time.Now()
			k.old = append(k.old, k.link)
			k.link = nil
		}
	})
}

// Answers returns nil when the goroutine of Run has answered, which proves that it is not stuck.
func (k *Keeper) Answers(ctx context.Context) error {
	answered := make(chan struct{})
	select {
	case k.calls <- func() { close(answered) }:
	case <-k.done:
		return errors.New("the keeper has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
	<-answered
	return nil
}
