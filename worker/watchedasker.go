package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
)

// askingAfter is how long a question is open before that is worth telling: what is
// remembered is there at once.
const askingAfter = time.Second

// watchedAsker is an Asker that tells when a person is waited for: who looks at the tunnel may not
// be where the dialog is.
type watchedAsker struct {
	asking.Asker
	open    atomic.Int32
	changed func()
}

// Ask is asking.Asker.
func (a *watchedAsker) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	defer a.begin()()
	return a.Asker.Ask(ctx, q)
}

// Confirm is asking.Asker.
func (a *watchedAsker) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	defer a.begin()()
	return a.Asker.Confirm(ctx, q)
}

// Notify is asking.Notifier, where the Asker is one.
func (a *watchedAsker) Notify(ctx context.Context, q asking.Question) {
	if n, ok := a.Asker.(asking.Notifier); ok {
		n.Notify(ctx, q)
	}
}

// begin notes a question, until end is called.
func (a *watchedAsker) begin() (end func()) {
	timer := time.AfterFunc(askingAfter, func() {
		a.open.Add(1)
		a.changed()
	})
	return func() {
		if !timer.Stop() {
			a.open.Add(-1)
			a.changed()
		}
	}
}

// note is what there is to say of it; empty: nothing.
func (a *watchedAsker) note() string {
	if a == nil || a.open.Load() <= 0 {
		return ""
	}
	return "waiting for an answer"
}
