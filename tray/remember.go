package tray

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
)

// offerTime is how long an answer has to turn out right, and then how long the question
// whether to remember it stays open.
const offerTime = 2 * time.Minute

// offers are the answers that may be offered to be remembered, one for each question of a tunnel.
type offers struct {
	mu      sync.Mutex
	cancels map[string]context.CancelFunc
}

func offerKey(tunnel string, account keyring.Account) string {
	return tunnel + "\x00" + string(account)
}

// begin returns a context that ends when end is called for the same question.
func (o *offers) begin(tunnel string, account keyring.Account) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancels == nil {
		o.cancels = make(map[string]context.CancelFunc)
	}
	o.cancels[offerKey(tunnel, account)] = cancel
	return ctx, cancel
}

// end takes an offer back.
func (o *offers) end(tunnel string, account keyring.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cancel := o.cancels[offerKey(tunnel, account)]; cancel != nil {
		cancel()
	}
}

// offer asks whether to remember an answer, once the tunnel is up with it and where there is a
// keyring that can.
func (p *Prompter) offer(ctx context.Context, dialog Dialog, tunnel string, account keyring.Account, answer string) {
	waiting, stop := context.WithTimeout(ctx, offerTime)
	defer stop()
	if p.Connected(waiting, tunnel, time.Now()) != nil {
		return
	}
	if old, _, err := p.Keyring.Get(ctx, account); err != nil || old == answer {
		return
	}
	asking, stop := context.WithTimeout(ctx, offerTime)
	defer stop()
	yes, err := dialog.Confirm(asking, Question{Title: "Holdfast", Yes: "Remember", No: "Not this one",
		Text: "Remember " + account.What() + " in the keyring?"})
	switch {
	case err == nil && yes:
		if err := p.Keyring.Set(ctx, account, answer); err != nil {
			p.Log.Warn("not remembered", "err", err)
		}
	case err == nil || errors.Is(err, errDeclined):
		if err := p.Declined.Add(account); err != nil {
			p.Log.Warn("it is not kept that this is not to be remembered", "err", err)
		}
	}
}
