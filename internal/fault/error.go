package fault

import (
	"errors"
	"fmt"
)

// Error is why something failed: a Reason for programs, one sentence for people, and the
// cause, if any.
type Error struct {
	reason  Reason
	message string
	err     error // may be nil
	silent  bool  // err adds nothing to the message
}

// New returns an error with this reason. The message is formatted as by fmt.Sprintf.
func New(r Reason, format string, args ...any) *Error {
	return &Error{reason: r, message: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause, whose Words follow the message after a colon.
func Wrap(r Reason, err error, format string, args ...any) *Error {
	return &Error{reason: r, message: fmt.Sprintf(format, args...), err: err}
}

// Because is New with a cause that Error does not show: the message has the cause's words already.
func Because(r Reason, err error, format string, args ...any) *Error {
	return &Error{reason: r, message: fmt.Sprintf(format, args...), err: err, silent: true}
}

// Reason returns the error's Reason.
func (e *Error) Reason() Reason { return e.reason }

// Class says what to do about the error.
func (e *Error) Class() Class { return e.reason.Class() }

func (e *Error) Error() string {
	if e.err == nil || e.silent {
		return e.message
	}
	return e.message + ": " + Words(e.err)
}

// Unwrap returns the cause, such as a *net.OpError.
func (e *Error) Unwrap() error { return e.err }

// As returns the outermost *Error in err's chain, or nil.
func As(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}

// Within returns the error with the name of a step, such as "ProxyJump", before its message.
func (e *Error) Within(step string) *Error {
	return &Error{reason: e.reason, message: step + ": " + e.message, err: e.err, silent: e.silent}
}
