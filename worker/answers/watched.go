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

// askingAfter is how long a question is open before that is worth telling: what is
// remembered is there at once.
const askingAfter = time.Second

// watched is an Asker that tells what a person is waited for: who looks at the tunnel may
// not be where the dialog is.
type watched struct {
	asking.Asker
	changed func()

	touched atomic.Bool // a key was to be touched

	mu   sync.Mutex
	open []fault.Reason // what the open questions ask for, the oldest first
}

// Ask is asking.Asker.
func (a *watched) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	defer a.begin(q.Reason())()
	return a.Asker.Ask(ctx, q)
}

// Confirm is asking.Asker.
func (a *watched) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	defer a.begin(q.Reason())()
	return a.Asker.Confirm(ctx, q)
}

// Notify is asking.Notifier, where the Asker is one.
func (a *watched) Notify(ctx context.Context, q asking.Question) {
	a.touched.Store(true)
	defer a.begin(q.Reason())()
	if n, ok := a.Asker.(asking.Notifier); ok {
		n.Notify(ctx, q)
	}
	<-ctx.Done() // whether or not anybody could be shown it, the key waits
}

// begin notes a question, until end is called.
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
