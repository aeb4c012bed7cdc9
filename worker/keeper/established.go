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
	m := &managedLink{link: link, since: now, pingNow: make(chan struct{}, 1), release: release}
	m.context, m.cancel = context.WithCancel(k.ctx)
	if k.hadLink {
		k.reconnects++
	}
	k.hadLink = true
	k.c.Log.Info("connected", "server", address(link))
	if k.link != nil {
		k.link.replaced = now
		k.old = append(k.old, k.link)
	}
	k.link = m
	k.wanted, k.blocked, k.rapid, k.lastErr, k.nextTry = false, false, false, nil, time.Time{}
	k.stopUse()
	k.startUse(m)
	go k.watch(m)
	go func() {
		err := link.Wait()
		k.post(func() { k.lose(m, err) })
	}()
}

func address(l Link) string {
	if a := l.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// startUse puts the forwards on m. One call of Use runs at a time, because two would compete for the
// same ports.
func (k *Keeper) startUse(m *managedLink) {
	if k.using != nil {
		return
	}
	ctx, cancel := context.WithCancel(m.context)
	k.using = cancel
	go func() {
		defer cancel()
		err := k.c.Use(ctx, m.link)
		k.post(func() {
			k.using = nil // if the link in use has changed meanwhile, startDue starts the next call
			switch {
			case err == nil:
				m.used = true
			case ctx.Err() == nil && m == k.link:
				k.dropLink(m, err)
			}
		})
	}()
}

func (k *Keeper) stopUse() {
	if k.using != nil {
		k.using()
	}
}

// answered records a round trip, and gives the handshake's slot back.
func (k *Keeper) answered(m *managedLink, rtt time.Duration) {
	m.release()
	if !m.answers {
		m.answers = true
		k.server.established()
	}
	if m == k.link {
		k.rtt = rtt
	}
}

// suspect records that m does not answer, or that it answers again.
func (k *Keeper) suspect(m *managedLink, is bool) {
	m.suspect = is
	if m != k.link {
		return
	}
	k.lastErr = nil
	if !is {
		k.c.Log.Info("the server answers again, the connection is kept")
		return
	}
	k.c.Log.Info("the server does not answer, connecting anew beside it")
	switch {
	case k.blocked:
	case m.proven():
		k.startOver()
	default: // the login worked, but the server answered nothing after it: do not try again at once
		k.wait(Failure{}, time.Now())
	}
}

// dropLink closes a link that this side ends; why is the reason.
func (k *Keeper) dropLink(m *managedLink, why error) {
	k.lose(m, why)
	m.link.Close()
}

// lose removes a dead link from the keeper. If it was in use, an old link that still answers takes over
// until a new one is established.
func (k *Keeper) lose(m *managedLink, why error) {
	if m != k.link && !slices.Contains(k.old, m) {
		return // was removed before
	}
	now := time.Now()
	m.cancel()
	m.release()
	k.c.Lost(m.link, why)
	if m != k.link {
		k.old = slices.DeleteFunc(k.old, func(o *managedLink) bool { return o == m })
		k.c.Log.Info("replaced connection ended", "error", why)
		return
	}
	k.link = nil
	var unused time.Duration
	if since := k.c.IdleSince(); !since.IsZero() {
		unused = min(now.Sub(since), now.Sub(m.since))
	}
	k.unused, why = nameUnusedTimeout(why, unused, k.unused)
	journal.Event{Kind: journal.Lost, Reason: string(fault.Lost), Status: fmt.Sprint(why)}.
		Log(k.c.Log, slog.LevelInfo, "connection lost", "error", why, "after", now.Sub(m.since).Round(time.Second))
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
	case m.suspect: // an attempt is already under way or planned
	case m.proven() && now.Sub(m.since) >= k.policy.GateTime, errors.Is(why, errAddressGone):
		// The link was good, or the server did not end it.
		k.startOver()
		k.rapid = true
	default:
		k.startedOver = now
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
	for _, m := range slices.Clone(k.old) {
		end := m.replaced.Add(DrainTimeout)
		if k.c.Draining(m.link) > 0 && now.Before(end) {
			wake = earlier(wake, now.Add(drainLookAgain))
			continue
		}
		why := errDrained
		if k.retired {
			why = errRetired
		}
		k.dropLink(m, why)
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
	k.unwatchServer()
	k.abandon()
	for _, m := range k.all() {
		m.cancel()
		m.release()
		k.c.Lost(m.link, context.Cause(k.ctx))
		m.link.Close()
	}
}
