package keeper

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
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

	Once   bool // Run ends with the first failed attempt or lost link
	GiveUp bool // Run ends when a person is needed, instead of waiting for one

	Log *slog.Logger
}

// Keeper keeps one link up. Its methods may be called from any goroutine while Run runs.
type Keeper struct {
	c     Config
	calls chan func()
	done  chan struct{} // closed when Run has ended

	addresses func() []netip.Addr

	// What follows belongs to the goroutine of Run.

	ctx    context.Context
	policy Policy
	server *Server

	link    *held   // in use; nil: none
	old     []*held // replaced, their channels still open
	using   *use    // Use under way; nil: none
	attempt *attempt

	wanted    bool // the link in use is well, but another is asked for
	suspended bool // no network: no attempts
	blocked   bool // a person is needed: no attempts
	force     bool // the next attempt does not wait for the penalty clock

	last       Failure
	lastErr    error // why the last attempt failed, or the last link was lost; nil: nothing is wrong
	failures   int   // failed attempts in a row that count
	eager      bool  // the last failure did not count
	calm       time.Time
	nextTry    time.Time
	planned    time.Duration // how far off nextTry was when it was set
	rtt        time.Duration
	stood      bool // some link has stood before
	reconnects uint64
	said       Status
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
	return k
}

// Run keeps the link up until ctx ends, which is no error, or until Once or GiveUp ends
// it with the error that did. In the end all links are closed.
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
		if s := k.status(); s.differs(k.said) {
			k.said = s
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
		if k.blocked && k.last.Class == Distrusted {
			k.blocked = false
		}
		k.startOver()
		machine := k.addresses()
		for _, h := range k.all() {
			if addressGone(h.link.LocalAddr(), machine) {
				k.giveUp(h, errAddressGone)
				continue
			}
			select {
			case h.poke <- struct{}{}:
			default:
			}
		}
		// An attempt that has reached nobody may never do so from the old address.
		if a := k.attempt; a != nil && !a.trace.connected.Load() && a.trace.connecting.Load() {
			k.abandon()
		}
	})
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

// startOver forgets the failures, so that the next attempt is made at once.
func (k *Keeper) startOver() {
	k.failures, k.nextTry, k.calm = 0, time.Time{}, time.Now()
}

// pursue starts what the state of things asks for, and returns when to look again.
func (k *Keeper) pursue(now time.Time) (wake time.Time) {
	wake = k.drain(now)
	if k.using == nil && k.link != nil && !k.link.used {
		k.startUse(k.link)
	}
	need := k.link == nil || k.link.suspect || k.wanted
	switch {
	case !need:
		k.abandon()
		k.blocked, k.nextTry = false, time.Time{}
		k.unwatch()
		return wake
	case k.attempt != nil, k.suspended, k.blocked:
		return wake
	}
	// Another tunnel may have been turned away since the wait was planned.
	if until := k.server.Penalty(); until.After(now) && until.After(k.nextTry) && !k.force {
		k.last = Failure{Class: TurnedAway}
		k.lastErr = errPenalty
		k.plan(until.Sub(now), now)
	}
	if now.Before(k.nextTry) {
		if k.back == nil && k.last.absent() && !k.eager {
			var ctx context.Context
			ctx, k.stopBack = context.WithCancel(k.ctx)
			k.back = k.server.Back(ctx)
		}
		return sooner(wake, k.nextTry)
	}
	k.start(now)
	return wake
}

// errPenalty is shown while another tunnel's attempt was turned away.
var errPenalty = errors.New("the server is turning this address away")

func (k *Keeper) plan(wait time.Duration, now time.Time) {
	k.nextTry, k.planned = now.Add(wait), wait
}

// serverIsBack ends the wait of a tunnel that found no server, once another has.
func (k *Keeper) serverIsBack() {
	if k.attempt == nil && k.last.absent() {
		k.nextTry = time.Time{}
	}
}

func (k *Keeper) unwatch() {
	if k.stopBack != nil {
		k.stopBack()
	}
	k.stopBack, k.back = nil, nil
}

// start makes an attempt.
func (k *Keeper) start(now time.Time) {
	k.unwatch()
	ctx, cancel := context.WithCancel(k.ctx)
	a := &attempt{cancel: cancel, started: now, trace: newTrace()}
	k.attempt, k.force = a, false
	var patience time.Duration
	if k.rtt > 0 && now.Sub(k.calm) < unreachedWindow {
		patience = max(connectPatience, stallRTTs*k.rtt)
	}
	server := k.server
	go func() {
		defer cancel()
		link, release, f, err := k.dial(ctx, a.trace, server, patience)
		ours := k.post(func() {
			switch {
			case k.attempt != a: // abandoned meanwhile
				release()
				if link != nil {
					link.Close()
				}
			case err != nil:
				k.attempt = nil
				k.failed(f, err)
			default:
				k.attempt = nil
				k.stands(link, release)
			}
		})
		if !ours {
			release()
			if link != nil {
				link.Close()
			}
		}
	}()
}

// abandon ends the attempt that is under way, if any.
func (k *Keeper) abandon() {
	if k.attempt != nil {
		k.attempt.cancel()
		k.attempt = nil
	}
}

// failed decides what follows a failed attempt.
func (k *Keeper) failed(f Failure, err error) {
	now := time.Now()
	k.last, k.lastErr = f, err
	k.c.Log.Info("attempt failed", "error", err, "class", f.Class.String())
	if k.c.Once {
		k.stop = err
		return
	}
	switch {
	case f.Class.Blocks():
		// A link that still works is kept while a new one, which a person or a changed
		// file asked for, does not stand.
		k.blocked = true
		if k.c.GiveUp && k.link == nil {
			k.stop = err
		}
		k.watchMending()
		return
	case f.Class == TurnedAway:
		k.server.TurnedAway(k.policy, now)
	}
	wait, counts := k.policy.Delay(f, k.failures+1, now.Sub(k.calm), rand.Float64())
	if counts {
		k.failures++
	}
	k.eager = !counts
	k.plan(wait, now)
}

// stands puts a new link to use.
func (k *Keeper) stands(link Link, release func()) {
	now := time.Now()
	h := &held{link: link, policy: k.policy, since: now, poke: make(chan struct{}, 1), release: release}
	h.context, h.cancel = context.WithCancel(k.ctx)
	if k.stood {
		k.reconnects++
	}
	k.stood = true
	k.server.Stood()
	k.c.Log.Info("connected", "server", address(link))
	if k.link != nil {
		k.link.replaced = now
		k.old = append(k.old, k.link)
	}
	k.link = h
	k.wanted, k.blocked, k.eager, k.lastErr, k.nextTry = false, false, false, nil, time.Time{}
	k.stopUse()
	k.startUse(h)
	go k.watch(h)
	go func() {
		err := link.Wait()
		k.post(func() { k.lose(h, err) })
	}()
}

func address(l Link) string {
	if a := l.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// use is a call of the hook Use that has not returned.
type use struct{ cancel context.CancelFunc }

// startUse puts the forwards on h. One call runs at a time: two would race for the same ports.
func (k *Keeper) startUse(h *held) {
	if k.using != nil {
		return
	}
	ctx, cancel := context.WithCancel(h.context)
	u := &use{cancel: cancel}
	k.using = u
	go func() {
		defer cancel()
		err := k.c.Use(ctx, h.link)
		k.post(func() {
			k.using = nil // there is one at a time; pursue starts the next, if the link in use is another by now
			switch {
			case err == nil:
				h.used = true
			case ctx.Err() == nil && h == k.link:
				k.giveUp(h, err)
			}
		})
	}()
}

func (k *Keeper) stopUse() {
	if k.using != nil {
		k.using.cancel()
	}
}

// answered notes a round trip: a link that answers has done with its handshake.
func (k *Keeper) answered(h *held, rtt time.Duration) {
	h.release()
	if h == k.link {
		k.rtt = rtt
	}
}

// suspect notes that h does not answer, or does so again.
func (k *Keeper) suspect(h *held, is bool) {
	h.suspect = is
	if h != k.link {
		return
	}
	if is {
		k.c.Log.Warn("the server does not answer, connecting anew beside it")
		k.startOver()
		k.lastErr = nil
	} else {
		k.c.Log.Info("the server answers again, the connection is kept")
		k.lastErr = nil
	}
}

// giveUp closes a link for a reason of ours.
func (k *Keeper) giveUp(h *held, why error) {
	k.lose(h, why)
	h.link.Close()
}

// lose lets go of a link that is dead.
func (k *Keeper) lose(h *held, why error) {
	if h != k.link && !slices.Contains(k.old, h) {
		return // known already
	}
	now := time.Now()
	h.cancel()
	h.release()
	k.c.Lost(h.link, why)
	if h != k.link {
		k.old = slices.DeleteFunc(k.old, func(o *held) bool { return o == h })
		k.c.Log.Info("replaced connection ended", "error", why)
		return
	}
	k.link = nil
	k.c.Log.Warn("connection lost", "error", why, "after", now.Sub(h.since).Round(time.Second))
	switch {
	case k.c.Once:
		k.stop = why
		return
	case k.blocked: // a new one does not stand, and lastErr says why
		if k.c.GiveUp {
			k.stop = k.lastErr
		}
		return
	}
	// Whatever the class of the loss, the link stood: one attempt will tell.
	k.last, k.lastErr = Failure{}, why
	switch {
	case h.suspect: // an attempt is under way or planned already
	case now.Sub(h.since) >= h.policy.GateTime:
		k.startOver()
		k.eager = true
	default:
		wait, _ := k.policy.Delay(k.last, k.failures+1, 0, rand.Float64())
		k.failures++
		k.calm = now
		k.plan(wait, now)
	}
	// An older link that is still well serves until a new one stands.
	for i, o := range slices.Backward(k.old) {
		if !o.suspect && !o.stale {
			k.old = slices.Delete(k.old, i, i+1)
			o.replaced, o.used = time.Time{}, false
			k.link, k.wanted = o, true
			k.startUse(o)
			return
		}
	}
}

// drain closes replaced links whose channels have ended, or have had their time.
func (k *Keeper) drain(now time.Time) (wake time.Time) {
	if k.link != nil && !k.link.used {
		return time.Time{} // the forwards are still on their way over
	}
	for _, h := range slices.Clone(k.old) {
		end := h.replaced.Add(drainTimeout)
		if k.c.Draining(h.link) > 0 && now.Before(end) {
			wake = sooner(wake, now.Add(drainLookAgain))
			continue
		}
		k.giveUp(h, errDrained)
	}
	return wake
}

// errDrained is why a replaced link is closed.
var errDrained = errors.New("replaced by a new connection")

func (k *Keeper) all() []*held {
	all := slices.Clone(k.old)
	if k.link != nil {
		all = append(all, k.link)
	}
	return all
}

func (k *Keeper) closeAll() {
	k.unwatch()
	k.abandon()
	for _, h := range k.all() {
		h.cancel()
		h.release()
		k.c.Lost(h.link, context.Cause(k.ctx))
		h.link.Close()
	}
}

// watchMending looks, without touching the server, whether something has changed since
// the attempt that failed, for as long as the keeper is blocked by it.
func (k *Keeper) watchMending() {
	if k.c.Fingerprint == nil {
		return
	}
	why := k.lastErr
	go func() {
		seen := k.c.Fingerprint()
		ticker := time.NewTicker(blockedLookAgain)
		defer ticker.Stop()
		for {
			select {
			case <-k.ctx.Done():
				return
			case <-ticker.C:
			}
			now := k.c.Fingerprint()
			still := false
			ours := k.post(func() {
				still = k.blocked && k.lastErr == why
				if still && now != seen {
					still = false
					k.blocked = false
					k.c.Log.Info("a key, a known host or a setting has changed: trying again")
					k.startOver()
				}
			})
			if !ours {
				return
			}
			// The function above runs in the keeper's goroutine: ask it before reading still.
			if k.Answers(k.ctx) != nil || !still {
				return
			}
		}
	}()
}
