package answers

import (
	"bytes"
	"context"
	"sync"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
)

// Shared is an Asker for several connections of one tunnel. It asks a person once for a passphrase
// or a password, and remembers the answer until all connections have logged in. An answer that is
// good for one login only, such as a code, is asked for each time.
type Shared struct {
	*watched
	mu        sync.Mutex
	remembers bool
	answers   map[string][]byte
}

// Share makes a Shared from an Asker. changed is called when a question becomes or is no longer open. If ask is
// nil, there are no questions, and Ask, Confirm and Notify must not be called.
func Share(ask asking.Asker, changed func()) *Shared {
	return &Shared{watched: &watched{Asker: ask, changed: changed}}
}

// Remember says whether answers are remembered from now on. With false, all are forgotten.
func (a *Shared) Remember(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remembers = yes
	if !yes {
		a.forget()
	}
}

// Wrong forgets all answers, because a login was refused and one of them may be wrong.
func (a *Shared) Wrong() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget()
}

// forget clears all answers. a.mu is held.
func (a *Shared) forget() {
	for _, answer := range a.answers {
		clear(answer)
	}
	a.answers = nil
}

// Ask is part of [asking.Asker].
func (a *Shared) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	if len(credentialsFor(q)) == 0 {
		return a.watched.Ask(ctx, q)
	}
	a.mu.Lock()
	known, ok := a.answers[question(q)]
	known = bytes.Clone(known)
	a.mu.Unlock()
	if ok && !q.Retry {
		return known, nil
	}
	clear(known)
	answer, err := a.watched.Ask(ctx, q)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.remembers {
		if a.answers == nil {
			a.answers = make(map[string][]byte)
		}
		clear(a.answers[question(q)])
		a.answers[question(q)] = bytes.Clone(answer)
	}
	return answer, err
}

// NeedsTouch is why a login without a person must not be tried; nil if it may. It must not once a login
// has asked for a touch of a security key.
func (a *Shared) NeedsTouch() error {
	if a.touched.Load() {
		return fault.New(fault.Touch, "a login needs a security key to be touched")
	}
	return nil
}

// WaitsFor is what the oldest open question asks for, and a note for people; both are empty if no
// question is open.
func (a *Shared) WaitsFor() (fault.Reason, string) {
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
