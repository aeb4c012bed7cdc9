package keeper

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// watcher watches one link, in a goroutine of its own. It sends pings when needed and posts its findings to
// the goroutine of Run. It has no ticker: while the link is idle it sleeps.
type watcher struct {
	*managedLink
	silence
	k         *Keeper
	alarm     *alarm
	pong      chan time.Duration // cap 1: the round trip of the ping under way
	before    queue              // of that ping
	suspected bool
	pingAgain bool      // asked for while a ping was under way: its answer may be older, so another ping follows
	inUse     time.Time // until then a write does not wake this goroutine
}

func (k *Keeper) watch(m *managedLink) {
	w := &watcher{managedLink: m, k: k, alarm: newAlarm(), pong: make(chan time.Duration, 1)}
	defer w.alarm.close()
	w.ping() // the first answer gives the round trip
	for {
		verdict, again := w.look()
		switch verdict {
		case sendPing:
			w.ping()
			continue
		case dead:
			k.post(func() { k.dropLink(m, silentError(time.Since(m.link.LastReceived()))) })
			return
		}
		if s := verdict == suspect; s != w.suspected {
			w.suspected = s
			k.post(func() { k.suspect(m, s) })
		}
		if !w.sleep(again) {
			return
		}
	}
}

func (w *watcher) ping() {
	w.pinged, w.moved, w.before = time.Now(), time.Time{}, queueBefore(w.link)
	go func() {
		rtt, err := w.link.Ping(w.context)
		if err == nil {
			w.pong <- rtt // never blocks, because there is one ping at a time
		} // on an error the link is lost, and Wait says why
	}()
}

// look says what to do about the link now, and when to look again, see judge.
func (w *watcher) look() (v verdict, again time.Time) {
	policy := w.k.watching.Load()
	w.received, w.unanswered = w.link.LastReceived(), w.link.Unanswered()
	now := time.Now() // after received was read: what came meanwhile is not from the future
	if w.received.After(now) {
		w.received = now.Add(-policy.ServerAliveInterval) // the machine's clock was set back
	}
	if w.pinged.IsZero() { // all idle tunnels of a machine send pings at the same time, so that it wakes once
		w.received = alignToBoot(w.received, policy.ServerAliveInterval/2)
	}
	v, again = policy.judge(w.silence, now)
	if v == suspect && !w.suspected && w.before.moves(w.link) {
		w.moved = now
		v, again = policy.judge(w.silence, now)
	}
	return v, again
}

// sleep waits until there is a reason to look at the link, or until again, if that is not zero. It returns
// false when the link has ended.
func (w *watcher) sleep(again time.Time) bool {
	// In a link with traffic every write after an answer would wake this goroutine. Look once in
	// stallAfter instead: no answer is overdue earlier. While a write is unanswered, further
	// writes tell nothing new.
	busy := w.link.Busy()
	switch {
	case !w.unanswered.IsZero() || !w.pinged.IsZero():
		busy = nil
	case time.Now().Before(w.inUse):
		busy, again = nil, earlier(again, w.inUse)
	}
	if again.IsZero() {
		w.alarm.stop()
	} else {
		w.alarm.reset(time.Until(again))
	}
	select {
	case <-w.context.Done():
		return false
	case <-w.alarm.C:
	case <-busy:
		w.inUse = time.Now().Add(stallAfter)
	case <-w.pingNow:
		if w.pingAgain = !w.pinged.IsZero(); !w.pingAgain {
			w.ping()
		}
	case measured := <-w.pong:
		w.answered(measured)
	}
	return true
}

// answered notes that the ping under way was answered.
func (w *watcher) answered(measured time.Duration) {
	select {
	case <-w.link.Busy(): // of the ping itself; what was written after it is seen by Unanswered
	default:
	}
	rtt := smoothed(w.rtt, measured)
	w.pinged, w.rtt = time.Time{}, rtt
	w.k.post(func() { w.k.answered(w.managedLink, rtt) })
	if w.pingAgain {
		w.pingAgain = false
		w.ping()
	}
}

// errSilent is why a link was closed whose server no longer answers.
var errSilent = fault.New(fault.Lost, "no answer from the server")

func silentError(d time.Duration) error {
	return fmt.Errorf("%w for %s", errSilent, d.Round(time.Second))
}
