package tray

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
)

// offerTime is how long a tunnel may take to come up with an answer, and then how long the offer to
// remember the answer stays open.
const offerTime = 2 * time.Minute

// offers are the open offers to remember an answer, one for each question of a tunnel.
type offers struct {
	mu   sync.Mutex
	open map[offerKey]*offer
}

// offerKey identifies a question of a tunnel.
type offerKey struct {
	tunnel  string
	account keyring.Account
}

// offer is an offer to remember one answer.
type offer struct {
	offerKey
	ctx    context.Context // ends when the offer is withdrawn or over
	cancel context.CancelFunc
	choice chan bool // what the person chose
}

// begin opens an offer. end withdraws it.
func (o *offers) begin(tunnel string, account keyring.Account) *offer {
	ctx, cancel := context.WithCancel(context.Background())
	begun := &offer{offerKey{tunnel, account}, ctx, cancel, make(chan bool, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[offerKey]*offer)
	}
	o.open[begun.offerKey] = begun
	return begun
}

// end withdraws the offer for a question, if there is one.
func (o *offers) end(tunnel string, account keyring.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if open := o.open[offerKey{tunnel, account}]; open != nil {
		open.cancel()
		delete(o.open, open.offerKey)
	}
}

// choose passes the person's choice to the offers about a tunnel.
func (o *offers) choose(tunnel string, remember bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, open := range o.open {
		if open.tunnel == tunnel {
			select {
			case open.choice <- remember:
			default: // it has an answer already
			}
		}
	}
}

// offer asks by a notification whether to remember an answer. It first waits until the tunnel is up
// with this answer. It does not ask if the keyring cannot be read or has the answer already.
func (p *Prompter) offer(o *offer, answer string) {
	defer o.cancel()
	waiting, stop := context.WithTimeout(o.ctx, offerTime)
	defer stop()
	if p.Connected(waiting, o.tunnel, time.Now()) != nil {
		return
	}
	if old, _, err := p.Keyring.Get(o.ctx, o.account); err != nil || old == answer {
		return
	}
	notice := "remember " + o.tunnel
	p.Tell(Notice{Key: notice, Title: "Remember " + o.account.What() + "?", Body: "It is kept in the keyring.", Actions: []NoticeAction{
		{key("remember", o.tunnel), "Remember"}, {key("forget", o.tunnel), "Not this one"}}})
	defer p.Tell(Notice{Key: notice})
	var err error
	select {
	case <-o.ctx.Done():
	case <-time.After(offerTime):
	case remember := <-o.choice:
		if remember {
			err = p.Keyring.Set(o.ctx, o.account, answer)
		} else {
			err = p.Declined.Add(o.account)
		}
	}
	if err != nil {
		p.Log.Warn("the choice whether to remember is not stored", "err", err)
	}
}
