package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
)

// established puts a new link in use. The link that was in use becomes an old one, and drains.
func (k *Keeper) established(link Link, release func()) {
	now := time.Now()
	h := &managedLink{link: link, since: now, poke: make(chan struct{}, 1), release: release}
	h.context, h.cancel = context.WithCancel(k.ctx)
	if k.hadLink {
		k.reconnects++
	}
	k.hadLink = true
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

// use is a call of Config.Use that has not returned.
type use struct{ cancel context.CancelFunc }

// startUse puts the forwards on h. One call of Use runs at a time, because two would compete for the
// same ports.
func (k *Keeper) startUse(h *managedLink) {
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
			k.using = nil // if the link in use has changed meanwhile, pursue starts the next call
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

// answered records a round trip, and gives the handshake's slot back.
func (k *Keeper) answered(h *managedLink, rtt time.Duration) {
	h.release()
	if !h.answers {
		h.answers = true
		k.server.Established()
	}
	if h == k.link {
		k.rtt = rtt
	}
}

// suspect records that h does not answer, or that it answers again.
func (k *Keeper) suspect(h *managedLink, is bool) {
	h.suspect = is
	if h != k.link {
		return
	}
	if is {
		k.c.Log.Info("the server does not answer, connecting anew beside it")
		k.lastErr = nil
		switch {
		case k.blocked:
		case h.proven():
			k.startOver()
		default: // the login worked, but the server answered nothing after it: do not try again at once
			k.wait(Failure{}, time.Now())
		}
	} else {
		k.c.Log.Info("the server answers again, the connection is kept")
		k.lastErr = nil
	}
}

// giveUp closes a link that this side ends; why is the reason.
func (k *Keeper) giveUp(h *managedLink, why error) {
	k.lose(h, why)
	h.link.Close()
}

// lose removes a dead link from the keeper. If it was in use, an old link that still answers takes over
// until a new one is established.
func (k *Keeper) lose(h *managedLink, why error) {
	if h != k.link && !slices.Contains(k.old, h) {
		return // was removed before
	}
	now := time.Now()
	h.cancel()
	h.release()
	k.c.Lost(h.link, why)
	if h != k.link {
		k.old = slices.DeleteFunc(k.old, func(o *managedLink) bool { return o == h })
		k.c.Log.Info("replaced connection ended", "error", why)
		return
	}
	k.link = nil
	journal.Event{Kind: journal.Lost, Reason: string(fault.Lost), Status: fmt.Sprint(why)}.
		Log(k.c.Log, slog.LevelInfo, "connection lost", "error", why, "after", now.Sub(h.since).Round(time.Second))
	switch {
	case k.c.Once:
		k.stop = why
		return
	case k.blocked: // no new link can be made, and lastErr says why
		return
	}
	// The class of the loss does not matter, because the link was established. Try one attempt.
	k.last, k.lastErr = Failure{}, fault.Because(fault.Lost, why, "%s", why)
	switch {
	case h.suspect: // an attempt is already under way or planned
	case h.proven() && now.Sub(h.since) >= k.policy.GateTime, errors.Is(why, errAddressGone):
		// The link was good, or the server did not end it.
		k.startOver()
		k.eager = true
	default:
		k.calm = now
		k.wait(k.last, now)
	}
	// An old link that still answers serves until a new one is established.
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

// drain closes replaced links whose channels have ended, or that have drained for DrainTimeout. wake is
// when to call it again; zero if not by the clock.
func (k *Keeper) drain(now time.Time) (wake time.Time) {
	if k.link != nil && !k.link.used {
		return time.Time{} // Use has not moved the forwards yet
	}
	for _, h := range slices.Clone(k.old) {
		end := h.replaced.Add(DrainTimeout)
		if k.c.Draining(h.link) > 0 && now.Before(end) {
			wake = sooner(wake, now.Add(drainLookAgain))
			continue
		}
		if k.retired {
			k.giveUp(h, errRetired)
		} else {
			k.giveUp(h, errDrained)
		}
	}
	return wake
}

// errDrained is why a replaced link is closed.
var errDrained = errors.New("replaced by a new connection")

// errRetired is why the link of a retired keeper is closed.
var errRetired = errors.New("fewer connections are wanted")

func (k *Keeper) all() []*managedLink {
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
