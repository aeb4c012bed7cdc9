package tray

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/internal/listing"
)

// Question is what a dialog asks.
type Question struct {
	Title string
	Text  string
	Echo  bool // show the answer while it is typed
	Yes   string
	No    string
}

// Dialog puts a question on the screen. Ask returns errDeclined if the person closes the dialog.
type Dialog interface {
	Ask(ctx context.Context, q Question) (string, error)
	Confirm(ctx context.Context, q Question) (bool, error)
}

var errDeclined = errors.New("closed without an answer")

// Prompter answers the daemon's questions with dialogs. It shows a dialog only when a person
// expects it, and offers to remember the answers.
type Prompter struct {
	Dialog   func() (Dialog, error) // called for each question: what is installed may change
	Keyring  keyring.Keyring        // nil: nothing is remembered
	Declined keyring.Declined
	// About returns where a tunnel connects to, for the text of the question, or "".
	About func(ctx context.Context, tunnel string) string
	// Connected waits until the tunnel has an SSH connection that is younger than since.
	Connected func(ctx context.Context, tunnel string, since time.Time) error
	// Show shows, replaces or closes a notice.
	Show func(Notice)
	Log  *slog.Logger

	questions *questions
	offers    offers
}

// Ask implements dbusapi.Agent.
func (p *Prompter) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	account := keyring.AccountOf(kind, prompt)
	// The question came back: the last answer was wrong.
	p.offers.end(func(o *offer) bool { return o.tunnel == tunnel && o.account == account })
	dialog, err := p.await(ctx, tunnel, kind, prompt)
	if err != nil {
		return "", err
	}
	q := p.question(ctx, tunnel, prompt)
	q.Echo = echo
	if p.questions.wrong(tunnel, prompt) {
		q.Text = "The last answer was wrong.\n\n" + q.Text
	}
	answer, err := dialog.Ask(ctx, q)
	if err = p.done(ctx, tunnel, prompt, err == nil, err); err != nil {
		return "", err
	}
	if account != "" && answer != "" && p.Keyring != nil && !p.Declined.Has(account) {
		withdrawn, o := p.offers.begin(tunnel, account)
		go p.offer(withdrawn, o, answer)
	}
	return answer, nil
}

// Confirm implements dbusapi.Agent.
func (p *Prompter) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	if kind == "touch" { // the touch is the answer: show no dialog
		p.Show(Notice{Key: "touch", Title: "Touch your security key", Body: p.question(ctx, tunnel, prompt).Text})
		return true, nil
	}
	dialog, err := p.await(ctx, tunnel, kind, prompt)
	if err != nil {
		return false, err
	}
	q := p.question(ctx, tunnel, prompt)
	q.Yes, q.No = "Yes", "No"
	if kind == "hostkey" {
		q.Yes, q.No = "Trust this key", "Do not connect"
	}
	yes, err := dialog.Confirm(ctx, q)
	return yes, p.done(ctx, tunnel, prompt, yes, err)
}

// await returns a dialog as soon as it may be shown.
func (p *Prompter) await(ctx context.Context, tunnel, kind, prompt string) (Dialog, error) {
	dialog, err := p.Dialog()
	if err != nil {
		return nil, err
	}
	return dialog, p.questions.await(ctx, tunnel, kind, prompt)
}

// done records how a dialog ended, and returns the error for the daemon. listing.ErrRefused means
// that the person said no, which is final; other errors mean that there is no answer.
func (p *Prompter) done(ctx context.Context, tunnel, prompt string, yes bool, err error) error {
	o := withdrawn
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, errDeclined):
		o, err = declined, fmt.Errorf("%w: the dialog was %w", listing.ErrRefused, err)
	case yes:
		o = answered
	case err == nil:
		o = declined
	}
	p.questions.done(tunnel, prompt, o)
	return err
}

func (p *Prompter) question(ctx context.Context, tunnel, prompt string) Question {
	q := Question{Title: "Holdfast", Text: strings.TrimRight(strings.TrimSpace(prompt), ":")}
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
