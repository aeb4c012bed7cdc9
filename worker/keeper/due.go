package keeper

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// unattended is the key of a context's value: see [Unattended].
type unattended struct{}

// Unattended says whether an attempt with this context must not ask a person, see [WithoutPerson].
func Unattended(ctx context.Context) bool { return ctx.Value(unattended{}) != nil }

// WithoutPerson returns ctx for an attempt that must not ask a person, such as one of RetryDenied=.
func WithoutPerson(ctx context.Context) context.Context {
	return context.WithValue(ctx, unattended{}, true)
}

// startOver forgets the failures, so that the next attempt is made at once, unless a person is needed.
func (k *Keeper) startOver() {
	k.failures, k.startedOver = 0, time.Now()
	if !k.blocked {
		k.nextTry = time.Time{}
	}
}

// startDue starts whatever is due: the end of old links, Use, or an attempt. It returns when to call it
// again; zero if not by the clock. Run calls it after each event.
func (k *Keeper) startDue(now time.Time) (wake time.Time) {
	wake = k.drain(now)
	if k.retired {
		return wake
	}
	if k.using == nil && k.link != nil && !k.link.used {
		k.startUse(k.link)
	}
	switch {
	case !k.needs():
		k.abandon()
		k.blocked, k.nextTry = false, time.Time{}
		k.unwatchServer()
		return wake
	case k.attempt != nil, k.suspended, k.blocked && k.nextTry.IsZero():
		return wake
	}
	// The server may have turned another tunnel away since the wait was planned.
	if until := k.server.penalty(); until.After(now) && until.After(k.nextTry) && !k.force {
		if !k.blocked {
			k.last, k.lastErr = Failure{Class: fault.ClassTurnedAway}, errPenalty
		}
		k.plan(until.Sub(now), now)
	}
	if now.Before(k.nextTry) {
		if k.serverUp == nil && k.last.noServer() && !k.rapid && !k.blocked {
			var ctx context.Context
			ctx, k.stopWatching = context.WithCancel(k.ctx)
			k.serverUp = k.server.establishedElsewhere(ctx)
		}
		return earlier(wake, k.nextTry)
	}
	k.start(now)
	return wake
}

// needs says whether a new link must be made.
func (k *Keeper) needs() bool { return k.link == nil || k.link.suspect || k.wanted }

// errPenalty is shown during a penalty that another tunnel's attempt started.
var errPenalty = fault.New(fault.TurnedAway, "the server is turning this address away")

// wait plans the next attempt after a failure.
func (k *Keeper) wait(f Failure, now time.Time) {
	delay, counts := k.policy.Delay(f, k.failures+1, now.Sub(k.startedOver), rand.Float64())
	if counts {
		k.failures++
	}
	k.rapid = !counts
	k.plan(delay, now)
}

func (k *Keeper) plan(wait time.Duration, now time.Time) {
	k.nextTry, k.plannedWait = now.Add(wait), wait
}

// retryServer ends the wait after an attempt that reached no server, because another tunnel has reached
// it.
func (k *Keeper) retryServer() {
	if k.attempt == nil && k.last.noServer() {
		k.nextTry = time.Time{}
	}
}

func (k *Keeper) unwatchServer() {
	if k.stopWatching != nil {
		k.stopWatching()
	}
	k.stopWatching, k.serverUp = nil, nil
}

// start makes an attempt.
func (k *Keeper) start(now time.Time) {
	k.unwatchServer()
	ctx, cancel := context.WithCancel(k.ctx)
	a := &attempt{cancel: cancel, machine: k.addresses()}
	k.attempt, k.force = a, false
	if k.blocked {
		ctx = WithoutPerson(ctx)
	}
	var patience time.Duration
	if k.rtt > 0 && now.Sub(k.startedOver) < unreachedWindow {
		patience = max(connectPatience, stallRTTs*k.rtt)
	}
	server := k.server
	go func() {
		defer cancel()
		link, release, f, err := k.dial(ctx, &a.trace, server, patience)
		seen := ""
		if err != nil && f.Class.Blocks() {
			seen = k.c.Fingerprint() // before the failure is published and somebody repairs it
		}
		ours := false
		k.call(func() {
			if ours = k.attempt == a; !ours {
				return // this attempt was abandoned meanwhile
			}
			k.attempt = nil
			if err != nil {
				k.failed(f, err, seen)
			} else {
				k.established(link, release)
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

// abandon ends the attempt under way, if any.
func (k *Keeper) abandon() {
	if k.attempt != nil {
		k.attempt.cancel()
		k.attempt = nil
	}
}

// failed decides what follows a failed attempt. seen is the fingerprint at its end, if err blocks the
// tunnel.
func (k *Keeper) failed(f Failure, err error, seen string) {
	now := time.Now()
	k.last, k.lastErr = f, err
	k.c.Log.Info("attempt failed", "error", err, "reason", string(fault.ReasonOf(err)))
	if k.c.Once {
		k.stop = err
		return
	}
	switch {
	case f.Class.Blocks():
		// The link in use stays, even if a person or a changed file asked for a new one.
		// An attempt without a person may fail for want of an answer. That counts as refused.
		again := k.policy.retriesDenied(fault.ReasonOf(err)) || k.blocked && f.Class == fault.ClassDenied
		k.blocked, k.nextTry = true, time.Time{}
		k.blockCount++
		if again {
			k.plan(k.policy.RetryDenied, now)
		}
		k.watchForRepair(seen)
		return
	case f.Class == fault.ClassTurnedAway:
		k.server.turnedAway(k.policy, now)
	}
	k.blocked = false
	k.wait(f, now)
}

// watchForRepair compares the fingerprint with seen, the one at the end of the failed attempt, every few
// seconds while the keeper is blocked by that attempt. After a change the keeper tries again. The server
// is not contacted.
func (k *Keeper) watchForRepair(seen string) {
	count := k.blockCount
	go func() {
		ticker := time.NewTicker(blockedLookAgain)
		defer ticker.Stop()
		for waits := true; waits; {
			select {
			case <-k.ctx.Done():
				return
			case <-ticker.C:
			}
			now := k.c.Fingerprint()
			k.call(func() {
				waits = k.blocked && k.blockCount == count
				if waits && now != seen {
					waits, k.blocked = false, false
					k.c.Log.Info("a key, a known host or a setting has changed: trying again")
					k.startOver()
				}
			})
		}
	}()
}
