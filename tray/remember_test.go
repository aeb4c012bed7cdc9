package tray

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/keyring"
)

// ring is a keyring in memory.
type ring struct {
	secrets map[keyring.Account]string
	err     error
	set     chan string
}

func (r *ring) Get(_ context.Context, account keyring.Account) (string, bool, error) {
	s, ok := r.secrets[account]
	return s, ok, r.err
}

func (r *ring) Set(_ context.Context, account keyring.Account, secret string) error {
	r.set <- string(account) + "=" + secret
	return nil
}

// TestOffer wants an answer to be offered once it is known to be right, and never else.
func TestOffer(t *testing.T) {
	account := keyring.AccountOf("passphrase", passphrasePrompt)
	up := make(chan struct{})
	begin := func(d *scripted, k *ring) *Prompter {
		p := prompter(d, k)
		p.Declined = keyring.Declined{Path: filepath.Join(t.TempDir(), "declined")}
		p.Connected = func(ctx context.Context, _ string, _ time.Time) error {
			select {
			case <-up:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return p
	}
	ask := func(p *Prompter, kind, prompt string) {
		t.Helper()
		if got, err := p.Ask(t.Context(), "db", kind, prompt, false); got != "typed" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	offered := func(d *scripted) bool {
		select {
		case <-d.confirmed:
			return true
		case <-time.After(200 * time.Millisecond): // it has had its chance
			return false
		}
	}

	// The first answer was wrong: only the second is offered.
	d, k := &scripted{answer: "typed", yes: true}, &ring{set: make(chan string, 4)}
	p := begin(d, k)
	ask(p, "passphrase", passphrasePrompt)
	ask(p, "passphrase", passphrasePrompt)
	if offered(d) {
		t.Error("an answer was offered before it was known to be right")
	}
	close(up)
	if !offered(d) {
		t.Error("the right answer was not offered")
	}
	if set := <-k.set; set != string(account)+"=typed" {
		t.Errorf("remembered %q", set)
	}
	if offered(d) {
		t.Error("offered twice")
	}

	for name, c := range map[string]struct {
		kind, prompt string
		ring         *ring
	}{
		"a code":                {"code", "Verification code: ", &ring{}},
		"one that is kept":      {"passphrase", passphrasePrompt, &ring{secrets: map[keyring.Account]string{account: "typed"}}},
		"a keyring that is not": {"passphrase", passphrasePrompt, &ring{err: errors.New("locked")}},
	} {
		d := &scripted{answer: "typed"}
		ask(begin(d, c.ring), c.kind, c.prompt)
		if offered(d) {
			t.Errorf("%s is offered", name)
		}
	}

	// A no is for good.
	d = &scripted{answer: "typed"}
	p = begin(d, &ring{})
	ask(p, "passphrase", passphrasePrompt)
	if !offered(d) {
		t.Error("not offered")
	}
	deadline := time.After(5 * time.Second)
	for !p.Declined.Has(account) {
		select {
		case <-deadline:
			t.Fatal("the no is not kept")
		case <-time.After(5 * time.Millisecond):
		}
	}
	ask(p, "passphrase", passphrasePrompt)
	if offered(d) {
		t.Error("offered again after a no")
	}
}
