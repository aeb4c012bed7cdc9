package tray

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
)

// offerTime is how long an answer has to turn out right, and then how long the question
// whether to remember it stays open.
const offerTime = 2 * time.Minute

// offers are the answers that may be offered to be remembered, one for each question of a tunnel.
type offers struct {
	mu   sync.Mutex
	open map[string]*offer
}

// offer is one of them.
type offer struct {
	tunnel string
	ctx    context.Context // ends when it is taken back
	cancel context.CancelFunc
	choice chan bool // what the person chose
}

func offerKey(tunnel string, account keyring.Account) string {
	return tunnel + "\x00" + string(account)
}

// begin is an offer that stands until end is called for the same question.
func (o *offers) begin(tunnel string, account keyring.Account) *offer {
	ctx, cancel := context.WithCancel(context.Background())
	begun := &offer{tunnel, ctx, cancel, make(chan bool, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[string]*offer)
	}
	o.open[offerKey(tunnel, account)] = begun
	return begun
}

// end takes an offer back.
func (o *offers) end(tunnel string, account keyring.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if open := o.open[offerKey(tunnel, account)]; open != nil {
		open.cancel()
		delete(o.open, offerKey(tunnel, account))
	}
}

// choose answers the offers about a tunnel.
func (o *offers) choose(tunnel string, remember bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, open := range o.open {
		if open.tunnel == tunnel {
			select {
			case open.choice <- remember:
			default: // it has an answer
			}
		}
	}
}

// offer offers by a notification to remember an answer, once the tunnel is up with it and where
// there is a keyring that can.
func (p *Prompter) offer(o *offer, account keyring.Account, answer string) {
	ctx, tunnel := o.ctx, o.tunnel
	defer o.cancel()
	waiting, stop := context.WithTimeout(ctx, offerTime)
	defer stop()
	if p.Connected(waiting, tunnel, time.Now()) != nil {
		return
	}
	if old, _, err := p.Keyring.Get(ctx, account); err != nil || old == answer {
		return
	}
	notice := "remember " + tunnel
	p.Tell(Notice{Key: notice, Title: "Remember " + account.What() + "?", Body: "It is kept in the keyring.", Actions: []NoticeAction{
		{key("remember", tunnel), "Remember"}, {key("forget", tunnel), "Not this one"}}})
	defer p.Tell(Notice{Key: notice})
	select {
	case <-ctx.Done():
	case <-time.After(offerTime):
	case remember := <-o.choice:
		if err := p.remember(ctx, account, answer, remember); err != nil {
			p.Log.Warn("not kept, whether it is to be remembered", "err", err)
		}
	}
}

// remember keeps an answer, or that this one is not to be offered again.
func (p *Prompter) remember(ctx context.Context, account keyring.Account, answer string, yes bool) error {
	if yes {
		return p.Keyring.Set(ctx, account, answer)
	}
	return p.Declined.Add(account)
}
