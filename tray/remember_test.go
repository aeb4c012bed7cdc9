package tray

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
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
	ask := func(t *testing.T, p *Prompter, kind, prompt string) {
		t.Helper()
		if got, err := p.Ask(t.Context(), "db", kind, prompt, false); got != "typed" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
	// offered reports whether an answer was offered since the last call.
	offered := func(d *scripted) bool {
		synctest.Wait()
		select {
		case <-d.confirmed:
			return true
		default:
			return false
		}
	}
	begin := func(t *testing.T, d *scripted, k *ring) *Prompter {
		p := prompter(d, k)
		p.Declined = keyring.Declined{Path: filepath.Join(t.TempDir(), "declined")}
		t.Cleanup(func() {
			synctest.Wait()
			if len(p.offers.open) > 0 {
				t.Error("an offer stays open")
			}
		})
		return p
	}
	run := func(name string, test func(*testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}

	run("the first answer was wrong: only the second is offered", func(t *testing.T) {
		d, k := &scripted{answer: "typed", yes: true}, &ring{set: make(chan string, 4)}
		p := begin(t, d, k)
		up := make(chan struct{})
		p.Connected = func(ctx context.Context, _ string, _ time.Time) error {
			select {
			case <-up:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		ask(t, p, "passphrase", passphrasePrompt)
		ask(t, p, "passphrase", passphrasePrompt)
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
	})
	for name, c := range map[string]struct {
		kind, prompt string
		ring         *ring
	}{
		"a code":                {"code", "Verification code: ", &ring{}},
		"one that is kept":      {"passphrase", passphrasePrompt, &ring{secrets: map[keyring.Account]string{account: "typed"}}},
		"a keyring that is not": {"passphrase", passphrasePrompt, &ring{err: errors.New("locked")}},
	} {
		run(name, func(t *testing.T) {
			d := &scripted{answer: "typed"}
			ask(t, begin(t, d, c.ring), c.kind, c.prompt)
			if offered(d) {
				t.Error("offered")
			}
		})
	}
	run("a no is for good", func(t *testing.T) {
		d := &scripted{answer: "typed"}
		p := begin(t, d, &ring{})
		ask(t, p, "passphrase", passphrasePrompt)
		if !offered(d) {
			t.Error("not offered")
		}
		if !p.Declined.Has(account) {
			t.Fatal("the no is not kept")
		}
		ask(t, p, "passphrase", passphrasePrompt)
		if offered(d) {
			t.Error("offered again after a no")
		}
	})
	run("nobody chooses", func(t *testing.T) {
		d := &scripted{answer: "typed"}
		p := begin(t, d, &ring{})
		notices := make(chan Notice, 2)
		p.Show = func(n Notice) { notices <- n }
		ask(t, p, "passphrase", passphrasePrompt)
		if n := <-notices; n.Title == "" {
			t.Error("not offered")
		}
		begun := time.Now()
		if n := <-notices; n.Title != "" || time.Since(begun) != offerTime {
			t.Errorf("after %v: %q", time.Since(begun), n.Title)
		}
	})
}
