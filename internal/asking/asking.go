// Package asking has the questions to a person. The answers come from a dialog, a terminal, a
// credential or a keyring.
package asking

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/lazyregexp"
)

// Asker asks a person. An implementation returns when ctx ends. Its error wraps [ErrNobody] if there
// is nobody to ask, and [ErrNoAnswer] if the person did not answer in time. Any other error means
// that the person declined.
type Asker interface {
	// Ask returns what the person typed. The caller wipes it after use.
	Ask(ctx context.Context, q Question) ([]byte, error)
	// Confirm returns whether the person said yes.
	Confirm(ctx context.Context, q Question) (bool, error)
}

// Notifier is an Asker that can also show a message without a question: that a security key waits
// for a touch. If an Asker is no Notifier, only the log has the message.
type Notifier interface {
	// Notify shows the question's prompt until ctx ends.
	Notify(ctx context.Context, q Question)
}

// ErrNobody is what an Asker returns when there is nobody to ask.
var ErrNobody = errors.New("nobody to ask")

// ErrNoAnswer is what an Asker returns when the person asked did not answer in time.
var ErrNoAnswer = errors.New("nobody answered")

// Kind says what a Question asks for.
type Kind string

// The kinds of question.
const (
	KindPassphrase  Kind = "passphrase"           // of the key file Subject
	KindPassword    Kind = "password"             // of the account Subject, "user@host"
	KindInteractive Kind = "keyboard-interactive" // one field that the server at Subject asks for
	KindHostKey     Kind = "host-key"             // a yes to the unknown host key of Subject
	KindPIN         Kind = "pin"                  // of the key file or token Subject; a few wrong ones lock it
	KindTouch       Kind = "touch"                // a notice, see Notifier: a security key waits for a finger
)

// reason is the Reason of most questions of this kind.
func (k Kind) reason() fault.Reason {
	switch k {
	case KindPassphrase:
		return fault.Passphrase
	case KindPassword:
		return fault.Password
	case KindPIN:
		return fault.PIN
	case KindTouch:
		return fault.Touch
	case KindHostKey:
		return fault.HostKeyUnknown
	}
	return fault.Code
}

// Question is one thing a person is asked.
type Question struct {
	Kind    Kind
	Subject string // what the answer belongs to; an Asker that remembers stores it under Kind and Subject
	Prompt  string // the whole question, for people; several lines for a host key
	Echo    bool   // the answer may be shown while it is typed
	Retry   bool   // the last answer to this very question was wrong: do not repeat a remembered one
}

// AsksPassword says whether the answer is certainly the account's password. Servers with PAM ask for
// it as a field of keyboard-interactive. A new password, or a one-time password, is not meant.
func (q Question) AsksPassword() bool {
	if q.Kind != KindInteractive || q.Echo {
		return q.Kind == KindPassword
	}
	last := q.Prompt[strings.LastIndexByte(q.Prompt, '\n')+1:]
	return passwordField.MatchString(last)
}

var passwordField = lazyregexp.New(`(?i)^(?:\(\S+@[^\s)]+\) )?(?:(?:unix |ldap |\S+'s )?password|password for \S+)\s*:?\s*$`)

// Reason is the Reason of a tunnel that has no answer to this question.
func (q Question) Reason() fault.Reason {
	if q.AsksPassword() {
		return fault.Password
	}
	return q.Kind.reason()
}

// PassphraseQuestion asks for the passphrase of a key file, in ssh's words, so that a remembered
// passphrase serves both transports.
func PassphraseQuestion(file string) Question {
	return Question{Kind: KindPassphrase, Subject: file, Prompt: fmt.Sprintf("Enter passphrase for key '%s': ", file)}
}
