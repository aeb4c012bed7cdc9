package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
)

// Question is what a dialog asks.
type Question struct {
	Title string
	Text  string
	Echo  bool // what is typed may be seen
	Yes   string
	No    string
}

// Dialog puts a question on the screen. The person's no is errDeclined.
type Dialog interface {
	Ask(ctx context.Context, q Question) (string, error)
	Confirm(ctx context.Context, q Question) (bool, error)
}

var errDeclined = errors.New("closed without an answer")

// Keyring keeps secrets; the Secret Service is one.
type Keyring interface {
	Get(ctx context.Context, account string) (secret string, ok bool, err error)
	Set(ctx context.Context, account, secret string) error
}

// againAfter is how soon the same question means that the remembered answer was wrong.
const againAfter = 5 * time.Second

// Prompter answers the daemon's questions by dialogs, and from the keyring.
type Prompter struct {
	Dialog  func() (Dialog, error) // looked for each time: what is installed may change
	Keyring Keyring                // nil: nothing is remembered
	// About says what a tunnel connects to, for the question; may be empty.
	About func(ctx context.Context, tunnel string) string
	// Forget says whether, and MayForget that, a question's answer is not to be remembered.
	Forget    func(account string) bool
	MayForget func(account string)
	Log       *slog.Logger

	mu       sync.Mutex
	answered map[string]time.Time // by tunnel and account: when the keyring answered
}

var _ dbusapi.Agent = (*Prompter)(nil)

// Ask is dbusapi.Agent.
func (p *Prompter) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	account := accountOf(kind, prompt)
	if secret, ok := p.remembered(ctx, tunnel, account); ok {
		return secret, nil
	}
	dialog, err := p.Dialog()
	if err != nil {
		return "", err
	}
	answer, err := dialog.Ask(ctx, p.question(ctx, tunnel, prompt, echo))
	if err != nil {
		return "", p.refusal(ctx, err)
	}
	if account != "" && answer != "" && p.Keyring != nil && !p.Forget(account) {
		go p.offer(dialog, account, prompt, answer)
	}
	return answer, nil
}

// Confirm is dbusapi.Agent.
func (p *Prompter) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	dialog, err := p.Dialog()
	if err != nil {
		return false, err
	}
	q := p.question(ctx, tunnel, prompt, true)
	q.Yes, q.No = "Yes", "No"
	if strings.Contains(kind, "host") {
		q.Yes, q.No = "Trust this key", "Do not connect"
	}
	yes, err := dialog.Confirm(ctx, q)
	return yes, p.refusal(ctx, err)
}

func (p *Prompter) question(ctx context.Context, tunnel, prompt string, echo bool) Question {
	q := Question{Title: "Holdfast", Text: strings.TrimRight(strings.TrimSpace(prompt), ":"), Echo: echo}
	if tunnel == "" {
		return q
	}
	q.Title = "Holdfast: " + tunnel
	about := "for the tunnel " + tunnel
	if to := p.About(ctx, tunnel); to != "" {
		about += " to " + to
	}
	q.Text += "\n\n" + about
	return q
}

// refusal tells a person's no, which is final, from a dialog that did not work.
func (p *Prompter) refusal(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errDeclined):
		return fmt.Errorf("%w: the dialog was %w", dbusapi.ErrRefused, err)
	}
	return err
}

// accountOf is what an answer is remembered under; "" for those that are good only once.
func accountOf(kind, prompt string) string {
	if kind != "passphrase" && kind != "password" {
		return ""
	}
	return kind + ": " + strings.TrimRight(strings.TrimSpace(prompt), ":")
}

// remembered is the keyring's answer. The same question at once again says that it was
// wrong: then a person is asked.
func (p *Prompter) remembered(ctx context.Context, tunnel, account string) (string, bool) {
	if account == "" || p.Keyring == nil {
		return "", false
	}
	key := tunnel + "\x00" + account
	p.mu.Lock()
	last, again := p.answered[key]
	delete(p.answered, key)
	p.mu.Unlock()
	if again && time.Since(last) < againAfter {
		return "", false
	}
	secret, ok, err := p.Keyring.Get(ctx, account)
	if err != nil {
		p.Log.Info("the keyring does not answer", "err", err)
	}
	if !ok {
		return "", false
	}
	p.mu.Lock()
	if p.answered == nil {
		p.answered = make(map[string]time.Time)
	}
	p.answered[key] = time.Now()
	p.mu.Unlock()
	return secret, true
}

// offerTime is how long the question whether to remember an answer stays open.
const offerTime = 2 * time.Minute

// offer asks whether to remember an answer, where there is a keyring that can.
func (p *Prompter) offer(dialog Dialog, account, prompt, answer string) {
	ctx, cancel := context.WithTimeout(context.Background(), offerTime)
	defer cancel()
	if old, _, err := p.Keyring.Get(ctx, account); err != nil || old == answer {
		return
	}
	yes, err := dialog.Confirm(ctx, Question{Title: "Holdfast", Yes: "Remember", No: "Not this one",
		Text: "Remember this in the keyring?\n\n" + strings.TrimRight(strings.TrimSpace(prompt), ":")})
	switch {
	case err == nil && yes:
		if err := p.Keyring.Set(ctx, account, answer); err != nil {
			p.Log.Warn("not remembered", "err", err)
		}
	case err == nil || errors.Is(err, errDeclined):
		p.MayForget(account)
	}
}
