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

// established puts a new link to use.
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

// use is a call of the hook Use that has not returned.
type use struct{ cancel context.CancelFunc }

// startUse puts the forwards on h. One call runs at a time: two would race for the same ports.
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

// suspect notes that h does not answer, or does so again.
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
		default: // the server lets us in and then answers nothing: not again at once
			k.wait(Failure{}, time.Now())
		}
	} else {
		k.c.Log.Info("the server answers again, the connection is kept")
		k.lastErr = nil
	}
}

// giveUp closes a link for a reason of ours.
func (k *Keeper) giveUp(h *managedLink, why error) {
	k.lose(h, why)
	h.link.Close()
}

// lose lets go of a link that is dead.
func (k *Keeper) lose(h *managedLink, why error) {
	if h != k.link && !slices.Contains(k.old, h) {
		return // known already
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
	case k.blocked: // a new one cannot be made, and lastErr says why
		return
	}
	// Whatever the class of the loss, the link was established: one attempt will tell.
	k.last, k.lastErr = Failure{}, fault.Because(fault.Lost, why, "%s", why)
	switch {
	case h.suspect: // an attempt is under way or planned already
	case h.proven() && now.Sub(h.since) >= k.policy.GateTime, errors.Is(why, errAddressGone):
		// It was good, or it was not the server that ended it.
		k.startOver()
		k.eager = true
	default:
		k.calm = now
		k.wait(k.last, now)
	}
	// An older link that is still well serves until a new one is established.
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

// errRetired is why one is closed that nothing replaces.
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
