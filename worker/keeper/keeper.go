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

// Config is what a Keeper works with. Dial and Use are called from goroutines of their
// own; the other hooks from the keeper's, and must not block.
type Config struct {
	Policy   Policy
	Courtesy Courtesy

	Dial        func(ctx context.Context) (Link, error) // one attempt, bounded by itself
	Use         func(ctx context.Context, l Link) error // l is in use from now on
	Lost        func(l Link, why error)                 // l is dead: nothing comes through it any more
	Draining    func(l Link) int                        // channels that still run over a replaced link
	State       func(s Status)                          // something changed
	Fingerprint func() string                           // of all that may mend a blocked tunnel; called from a goroutine of its own; may be nil

	// Turn waits until an attempt may begin, and is told by done, once or more often, that it
	// has ended; from goroutines of their own. It may be nil.
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

	// What follows belongs to the goroutine of Run.

	ctx    context.Context
	policy Policy
	server *Server

	link    *managedLink   // in use; nil: none
	old     []*managedLink // replaced, their channels still open
	using   *use           // Use under way; nil: none
	attempt *attempt

	wanted    bool // the link in use is well, but another is asked for
	suspended bool // no network: no attempts
	blocked   bool // a person is needed: no attempts, but for those of RetryDenied=
	verdict   int  // counts how often it became so
	retired   bool // what is left drains, and then Run ends
	force     bool // the next attempt does not wait for the penalty clock

	last       Failure
	lastErr    error // why the last attempt failed, or the last link was lost; nil: nothing is wrong
	failures   int   // failed attempts in a row that count
	eager      bool  // the last failure did not count
	calm       time.Time
	nextTry    time.Time
	planned    time.Duration // how far off nextTry was when it was set
	rtt        time.Duration
	hadLink    bool // there was a link before
	reconnects uint64
	published  Status
	stop       error // why Run is to end
	back       <-chan struct{}
	stopBack   context.CancelFunc
}

// New makes a keeper; Run starts it.
func New(c Config) *Keeper {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{
		c: c, policy: c.Policy, server: c.Courtesy.At(c.Policy.Address),
		calls: make(chan func()), done: make(chan struct{}), addresses: machineAddresses,
	}
	k.watching.Store(&c.Policy)
	return k
}

// Run keeps the link up until ctx ends, or a link that was retired has drained, which is
// no error, or until Once ends it with the error that did. In the end all links are closed.
func (k *Keeper) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer close(k.done)
	defer k.closeAll()
	defer cancel()
	k.ctx, k.calm = ctx, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if k.stop != nil {
			return k.stop
		}
		wake := k.pursue(time.Now())
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
		case <-k.back:
			k.serverIsBack()
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

// Probe says that the network may have changed: what is up is asked whether it still
// is, and dropped at once if its own address is gone; what is not up is tried at once.
// A tunnel that is blocked stays so, unless by a host key: on another network another
// machine may answer to the name.
func (k *Keeper) Probe() {
	k.post(func() {
		k.suspended = false
		if k.blocked && k.last.Class == fault.ClassDistrusted {
			k.blocked = false
		}
		k.startOver()
		machine := k.addresses()
		for _, h := range k.all() {
			if addressGone(h.link.LocalAddr(), machine) {
				k.giveUp(h, errAddressGone)
			}
		}
		k.askAll()
		// An attempt from an address that is gone, or that has reached nobody, never will.
		if a := k.attempt; a != nil && (a.unreached() || !contains(machine, a.machine)) {
			k.abandon()
		}
	})
}

// contains says whether all addresses that the machine had are among those it has.
func contains(has, had []netip.Addr) bool {
	return !slices.ContainsFunc(had, func(a netip.Addr) bool { return !slices.Contains(has, a) })
}

// askAll has the watcher of each link ask its server now.
func (k *Keeper) askAll() {
	for _, h := range k.all() {
		select {
		case h.poke <- struct{}{}:
		default:
		}
	}
}

// Suspend says that the network is gone: no attempts until Probe or Reconnect. A link
// that is up is kept for as long as it answers.
func (k *Keeper) Suspend() {
	k.post(func() {
		k.suspended = true
		k.abandon()
	})
}

// Reconnect makes a new link, before the one in use is let go. It also ends every wait.
func (k *Keeper) Reconnect() {
	k.post(func() {
		k.suspended, k.blocked = false, false
		k.wanted, k.force = true, true
		k.startOver()
	})
}

// Change puts another policy in force and, when the link is to be made differently
// from now on, does what Reconnect does; an attempt from the old settings is abandoned.
func (k *Keeper) Change(p Policy, redial bool) {
	k.post(func() {
		if p.Address != k.policy.Address {
			k.unwatch()
			k.server = k.c.Courtesy.At(p.Address)
		}
		k.policy = p
		k.watching.Store(&p)
		k.askAll()
		k.blocked = false
		k.startOver()
		if !redial {
			return
		}
		k.wanted = true
		for _, h := range k.all() {
			h.stale = true
		}
		k.abandon()
	})
}

// Retire says that no link is wanted any more: the one in use drains as one that was
// replaced, and Run ends.
func (k *Keeper) Retire() {
	k.post(func() {
		k.retired = true
		k.stopUse()
		k.abandon()
		k.unwatch()
		if k.link != nil {
			k.link.replaced = time.Now()
			k.old = append(k.old, k.link)
			k.link = nil
		}
	})
}

// Answers returns when the goroutine of Run has answered, which proves that it lives.
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
