package asking

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrTimeout is the cause of an attempt's context once its limit is over.
var ErrTimeout = errors.New("connect timeout")

// Attempt bounds one try to connect, from the first lookup to the last message of the authentication,
// and asks a person its questions. The time until a person answers does not count. A nil Attempt has
// no limit and nobody to ask.
type Attempt struct {
	asker Asker // nil: nobody is there

	mu     sync.Mutex
	left   time.Duration // while stopped
	since  time.Time     // while running
	timer  *time.Timer   // nil: no limit
	pauses int
}

// Start begins an attempt. A limit of 0 means no limit. The context ends with its parent, or with the
// cause ErrTimeout. Call cancel when the attempt is over.
func Start(parent context.Context, limit time.Duration, asker Asker) (context.Context, *Attempt, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	a := &Attempt{asker: asker, left: limit, since: time.Now()}
	if limit > 0 {
		a.timer = time.AfterFunc(limit, func() { cancel(ErrTimeout) })
	}
	return ctx, a, func() {
		a.Pause()
		cancel(context.Canceled)
	}
}

// Pause stops the clock while a person does something. Resume starts it again.
func (a *Attempt) Pause() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pauses++
	if a.timer != nil && a.pauses == 1 && a.timer.Stop() {
		a.left -= time.Since(a.since)
	}
}

// Resume ends one Pause.
func (a *Attempt) Resume() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pauses--
	if a.timer != nil && a.pauses == 0 {
		a.since = time.Now()
		a.timer.Reset(max(a.left, time.Second))
	}
}

// Ask asks the Asker, with the clock stopped.
func (a *Attempt) Ask(ctx context.Context, q Question) ([]byte, error) {
	if a == nil || a.asker == nil {
		return nil, ErrNobody
	}
	a.Pause()
	defer a.Resume()
	return a.asker.Ask(ctx, q)
}

// Confirm asks the Asker, with the clock stopped.
func (a *Attempt) Confirm(ctx context.Context, q Question) (bool, error) {
	if a == nil || a.asker == nil {
		return false, ErrNobody
	}
	a.Pause()
	defer a.Resume()
	return a.asker.Confirm(ctx, q)
}

// Notify notifies the Asker, if it is a Notifier.
func (a *Attempt) Notify(ctx context.Context, q Question) {
	if a == nil {
		return
	}
	if n, ok := a.asker.(Notifier); ok {
		n.Notify(ctx, q)
	}
}
