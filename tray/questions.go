package tray

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// engagedTime is how long a tunnel's questions are expected after a click or an answer. A login may
// ask more than once.
const engagedTime = time.Minute

// questions are the open questions, at most one of each tunnel. A dialog takes the keyboard away
// from whatever a person is typing into. So a dialog that nobody expects waits for a click on a
// notification or in the menu.
type questions struct {
	changed func() // called when a question was opened, answered or closed

	mu sync.Mutex
	of map[string]*asked // by tunnel
}

// asked is what one tunnel has asked, and what became of it.
type asked struct {
	engagedUntil time.Time     // until when its questions are expected
	call         chan struct{} // closed to show the dialog that waits; nil: none waits
	reason       fault.Reason  // what the waiting dialog asks for
	prompt       string        // of the waiting dialog
	shown        bool          // a dialog is on the screen
	declined     bool          // the last dialog was closed without an answer
	answered     string        // the prompt that was answered last in this login
}

func newQuestions(changed func()) *questions {
	return &questions{changed: changed, of: make(map[string]*asked)}
}

// about returns a tunnel's entry. The caller holds the lock.
func (q *questions) about(tunnel string) *asked {
	a := q.of[tunnel]
	if a == nil {
		a = &asked{}
		q.of[tunnel] = a
	}
	return a
}

// engage records that a person expects questions of these tunnels, and shows those that wait.
func (q *questions) engage(tunnels ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, tunnel := range tunnels {
		q.about(tunnel).engage()
	}
}

func (a *asked) engage() {
	a.engagedUntil, a.declined = time.Now().Add(engagedTime), false
	if a.call != nil {
		close(a.call)
		a.call = nil
	}
}

// showWaiting shows all questions that wait, of any tunnel: the daemon asks one at a time. It
// reports whether there is a question.
func (q *questions) showWaiting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	shown := false
	for _, a := range q.of {
		if a.call != nil || a.shown {
			a.engage()
			shown = true
		}
	}
	return shown
}

// await returns nil when the dialog may be shown, or an error when the question is withdrawn.
func (q *questions) await(ctx context.Context, tunnel, kind, prompt string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.about(tunnel)
	a.declined = false
	if tunnel != "" && !time.Now().Before(a.engagedUntil) { // a command has asked for a question without a tunnel
		call := make(chan struct{})
		a.call, a.reason, a.prompt = call, reasonOf(kind), prompt
		q.mu.Unlock()
		q.changed()
		select {
		case <-call:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if a.call == call {
			a.call = nil
		}
	}
	a.shown = ctx.Err() == nil
	go q.changed()
	return ctx.Err()
}

// outcome is how a dialog ended.
type outcome int

const (
	withdrawn outcome = iota // the question was withdrawn, or the dialog failed
	answered
	declined
)

// done records how the dialog with this prompt ended.
func (q *questions) done(tunnel, prompt string, o outcome) {
	q.mu.Lock()
	a := q.about(tunnel)
	a.shown, a.declined = false, o == declined
	switch o {
	case answered:
		a.engagedUntil, a.answered = time.Now().Add(engagedTime), prompt
	case declined:
		a.engagedUntil = time.Time{}
	}
	q.mu.Unlock()
	q.changed()
}

// wrong reports whether the last answer to this prompt was wrong.
func (q *questions) wrong(tunnel, prompt string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.about(tunnel).answered == prompt
}

// attention returns what a person knows of a tunnel's need.
func (q *questions) attention(tunnel string) attention {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch a := q.about(tunnel); {
	case a.call != nil:
		return expected
	case a.shown || a.declined:
		return aware
	}
	return unaware
}

// take records a tunnel's state. It returns the tunnel with its question, if one waits for a click.
func (q *questions) take(t listing.Tunnel) listing.Tunnel {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.about(t.Name)
	switch {
	case t.Well():
		a.engagedUntil, a.declined, a.answered = time.Time{}, false, ""
	case t.State != tunnelfile.Connecting && !(t.State == tunnelfile.Blocked && t.Reason.WantsAnswer()):
		a.answered = "" // the login is over, for another reason
	}
	if a.call != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(a.prompt), "\n")
		t.State, t.Reason, t.Status = tunnelfile.Connecting, a.reason, strings.TrimRight(line, ":")
	}
	return t
}

// reasonOf returns the Reason of a kind of question, see dbusapi.Agent.
func reasonOf(kind string) fault.Reason {
	switch kind {
	case "passphrase", "pin", "password", "touch":
		return fault.Reason(kind)
	case "hostkey":
		return fault.HostKeyUnknown
	}
	return fault.Code
}
