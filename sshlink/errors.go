package sshlink

import (
	"errors"
	"fmt"
)

// Error is why a connection could not be made or was lost, as one sentence for
// people. What is to be done about it is told by its methods, of which at most one
// is true; when none is, the trouble may pass and trying again may help.
type Error struct {
	class   class
	message string
	err     error // may be nil
	silent  bool  // err adds nothing to the message
}

type class int

const (
	passing class = iota
	turnedAway
	denied
	distrusted
	mistaken
)

func (e *Error) Error() string {
	if e.err == nil || e.silent {
		return e.message
	}
	return e.message + ": " + e.err.Error()
}

// Unwrap is the cause, such as a *net.OpError.
func (e *Error) Unwrap() error { return e.err }

// Denied says that the server refused every way to authenticate.
func (e *Error) Denied() bool { return e.class == denied }

// Distrusted says that the server's host key is unknown, changed or revoked.
func (e *Error) Distrusted() bool { return e.class == distrusted }

// Mistaken says that a setting is wrong: the tunnel file's, or ssh_config(5)'s.
func (e *Error) Mistaken() bool { return e.class == mistaken }

// TurnedAway says that the server, or something before it, refuses this address
// for now: MaxStartups, PerSourcePenalties, fail2ban.
func (e *Error) TurnedAway() bool { return e.class == turnedAway }

func errorf(c class, format string, args ...any) *Error {
	return &Error{class: c, message: fmt.Sprintf(format, args...)}
}

// wrapf is errorf with a cause, whose text follows the message after a colon.
func wrapf(c class, err error, format string, args ...any) *Error {
	return &Error{class: c, message: fmt.Sprintf(format, args...), err: err}
}

// because is errorf with a cause that is there for errors.Is only: the message says it all.
func because(c class, err error, format string, args ...any) *Error {
	return &Error{class: c, message: fmt.Sprintf(format, args...), err: err, silent: true}
}

// asError returns the *Error in err's chain, or nil.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}
