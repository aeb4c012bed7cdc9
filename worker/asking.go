package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/sshlink"
)

// askingAfter is how long a question is open before that is worth telling: what is
// remembered is there at once.
const askingAfter = time.Second

// asking is an Asker that tells when a person is waited for: who looks at the tunnel may not
// be where the dialog is.
type asking struct {
	sshlink.Asker
	open    atomic.Int32
	changed func()
}

// Ask is sshlink.Asker.
func (a *asking) Ask(ctx context.Context, q sshlink.Question) ([]byte, error) {
	defer a.begin()()
	return a.Asker.Ask(ctx, q)
}

// Confirm is sshlink.Asker.
func (a *asking) Confirm(ctx context.Context, q sshlink.Question) (bool, error) {
	defer a.begin()()
	return a.Asker.Confirm(ctx, q)
}

// Notify is sshlink.Notifier, where the Asker is one.
func (a *asking) Notify(ctx context.Context, q sshlink.Question) {
	if n, ok := a.Asker.(sshlink.Notifier); ok {
		n.Notify(ctx, q)
	}
}

// begin notes a question, until end is called.
func (a *asking) begin() (end func()) {
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
func (a *asking) note() string {
	if a == nil || a.open.Load() <= 0 {
		return ""
	}
	return "waiting for an answer"
}
