package tray

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
)

// offerTime is how long a tunnel may take to come up with an answer, and then how long the offer to
// remember the answer stays open.
const offerTime = 2 * time.Minute

// offers are the open offers to remember an answer, at most one for each question of a tunnel.
type offers struct {
	mu   sync.Mutex
	open []*offer
}

// offer is an offer to remember one answer.
type offer struct {
	tunnel   string
	account  keyring.Account
	withdraw context.CancelFunc
	choice   chan bool // what the person chose
}

// begin opens an offer. ctx ends when the offer is withdrawn.
func (o *offers) begin(tunnel string, account keyring.Account) (ctx context.Context, begun *offer) {
	ctx, withdraw := context.WithCancel(context.Background())
	begun = &offer{tunnel, account, withdraw, make(chan bool, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = append(o.open, begun)
	return ctx, begun
}

// end withdraws the offers that match.
func (o *offers) end(match func(*offer) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = slices.DeleteFunc(o.open, func(open *offer) bool {
		if match(open) {
			open.withdraw()
			return true
		}
		return false
	})
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
func (p *Prompter) offer(ctx context.Context, o *offer, answer string) {
	defer p.offers.end(func(open *offer) bool { return open == o })
	waiting, stop := context.WithTimeout(ctx, offerTime)
	defer stop()
	if p.Connected(waiting, o.tunnel, time.Now()) != nil {
		return
	}
	if old, _, err := p.Keyring.Get(ctx, o.account); err != nil || old == answer {
		return
	}
	notice := "remember " + o.tunnel
	p.Show(Notice{Key: notice, Title: "Remember " + o.account.What() + "?", Body: "It is kept in the keyring.", Actions: []NoticeAction{
		{key("remember", o.tunnel), "Remember"}, {key("forget", o.tunnel), "Not this one"}}})
	defer p.Show(Notice{Key: notice})
	var err error
	select {
	case <-ctx.Done():
	case <-time.After(offerTime):
	case remember := <-o.choice:
		if remember {
			err = p.Keyring.Set(ctx, o.account, answer)
		} else {
			err = p.Declined.Add(o.account)
		}
	}
	if err != nil {
		p.Log.Warn("the choice whether to remember is not stored", "err", err)
	}
}
