package worker

import (
	"bytes"
	"context"
	"sync"

	"github.com/holdfast/holdfast/internal/asking"
)

// sharedAnswers is an Asker that asks a person once for what each of several connections
// needs: passphrases and passwords are kept from the first login that needs them to the last.
// What is good for one login only is asked for each.
type sharedAnswers struct {
	*watchedAsker
	mu      sync.Mutex
	keeps   bool
	answers map[string][]byte
}

// keep says whether answers are kept from now on. Those that are kept are forgotten with no.
func (a *sharedAnswers) keep(yes bool) {
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

// wrong forgets the answers: a login was refused, and one of them may be why.
func (a *sharedAnswers) wrong() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget()
}

// forget is called with mu held.
func (a *sharedAnswers) forget() {
	for _, answer := range a.answers {
		clear(answer)
	}
	a.answers = nil
}

// Ask is asking.Asker.
func (a *sharedAnswers) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	if len(credentialsFor(q)) == 0 {
		return a.watchedAsker.Ask(ctx, q)
	}
	a.mu.Lock()
	known, ok := a.answers[question(q)]
	known = bytes.Clone(known)
	a.mu.Unlock()
	if ok && !q.Again {
		return known, nil
	}
	clear(known)
	answer, err := a.watchedAsker.Ask(ctx, q)
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
