package answers

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
)

// askingAfter is how long a question is open before it is published. A remembered answer comes
// sooner.
const askingAfter = time.Second

// watched is an Asker that records its open questions, so that the tunnel's status shows that it
// waits for a person. The dialog may be on another screen.
type watched struct {
	asking.Asker
	changed func()

	touched atomic.Bool // some login has asked for a touch of a security key

	mu   sync.Mutex
	open []fault.Reason // what the open questions ask for, the oldest first
}

// Ask is part of [asking.Asker].
func (a *watched) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	defer a.begin(q.Reason())()
	return a.Asker.Ask(ctx, q)
}

// Confirm is part of [asking.Asker].
func (a *watched) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	defer a.begin(q.Reason())()
	return a.Asker.Confirm(ctx, q)
}

// Notify is [asking.Notifier]. It returns when ctx ends, even if the Asker is no Notifier.
func (a *watched) Notify(ctx context.Context, q asking.Question) {
	a.touched.Store(true)
	defer a.begin(q.Reason())()
	if n, ok := a.Asker.(asking.Notifier); ok {
		n.Notify(ctx, q)
	}
	<-ctx.Done() // the key waits for a touch, even if the message could not be shown
}

// begin records an open question until end is called.
func (a *watched) begin(reason fault.Reason) (end func()) {
	timer := time.AfterFunc(askingAfter, func() {
		a.mu.Lock()
		a.open = append(a.open, reason)
		a.mu.Unlock()
		a.changed()
	})
	return func() {
		if timer.Stop() {
			return
		}
		a.mu.Lock()
		if i := slices.Index(a.open, reason); i >= 0 {
			a.open = slices.Delete(a.open, i, i+1)
		}
		a.mu.Unlock()
		a.changed()
	}
}
