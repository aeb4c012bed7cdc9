package answers

import (
	"bytes"
	"context"
	"sync"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
)

// Shared is an Asker that asks a person once for what each of several connections
// needs: passphrases and passwords are kept from the first login that needs them to the last.
// What is good for one login only is asked for each.
type Shared struct {
	*watched
	mu      sync.Mutex
	keeps   bool
	answers map[string][]byte
}

// Share has a person answer once, and tells by changed that somebody begins or ends to wait for
// one. It is nil where there is nobody to ask.
func Share(ask asking.Asker, changed func()) *Shared {
	if ask == nil {
		return nil
	}
	return &Shared{watched: &watched{Asker: ask, changed: changed}}
}

// Keep says whether answers are kept from now on. Those that are kept are forgotten with no.
func (a *Shared) Keep(yes bool) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keeps = yes
	if !yes {
		a.forget()
	}
}

// Wrong forgets the answers: a login was refused, and one of them may be why.
func (a *Shared) Wrong() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget()
}

// forget is called with mu held.
func (a *Shared) forget() {
	for _, answer := range a.answers {
		clear(answer)
	}
	a.answers = nil
}

// Ask is asking.Asker.
func (a *Shared) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	if len(credentialsFor(q)) == 0 {
		return a.watched.Ask(ctx, q)
	}
	a.mu.Lock()
	known, ok := a.answers[question(q)]
	known = bytes.Clone(known)
	a.mu.Unlock()
	if ok && !q.Again {
		return known, nil
	}
	clear(known)
	answer, err := a.watched.Ask(ctx, q)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.keeps {
		if a.answers == nil {
			a.answers = make(map[string][]byte)
		}
		clear(a.answers[question(q)])
		a.answers[question(q)] = bytes.Clone(answer)
	}
	return answer, err
}

// Bars is why no login may be tried at which nobody is to be troubled, nil where one may.
func (a *Shared) Bars() error {
	if a != nil && a.touched.Load() {
		return fault.New(fault.Touch, "a login needs a security key to be touched")
	}
	return nil
}

// WaitsFor is what the oldest open question asks for, and a note for people; both are empty
// where there is none.
func (a *Shared) WaitsFor() (fault.Reason, string) {
	if a == nil {
		return fault.None, ""
	}
	a.watched.mu.Lock()
	defer a.watched.mu.Unlock()
	switch {
	case len(a.open) == 0:
		return fault.None, ""
	case a.open[0] == fault.Touch:
		return fault.Touch, "waiting for the security key to be touched"
	}
	return a.open[0], "waiting for an answer"
}
