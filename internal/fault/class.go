package fault

import (
	"errors"
	"net"
)

// Class says what to do about a link that was lost or could not be made. There is no class for a
// remote port that the server refuses: the link is good then, and the forward tries again.
type Class int

// The classes, the least serious first.
const (
	ClassPassing    Class = iota // network, refused, reset, time-out: try again
	ClassTurnedAway              // the server closes before its banner, or punishes the address: try again, but later
	ClassMistaken                // configuration: stop until it changes
	ClassDenied                  // authentication: stop, a person is needed
	ClassDistrusted              // host key unknown or changed: stop and warn
)

func (c Class) String() string {
	switch c {
	case ClassTurnedAway:
		return "turned away"
	case ClassDenied:
		return "denied"
	case ClassDistrusted:
		return "distrusted"
	case ClassMistaken:
		return "mistaken"
	}
	return "passing"
}

// Blocks says whether errors of this class need a person: no attempt may reach the server
// until something has changed.
func (c Class) Blocks() bool {
	return c == ClassDenied || c == ClassDistrusted || c == ClassMistaken
}

// Reasoned is an error that knows its Reason.
type Reasoned interface {
	error
	Reason() Reason
}

// ReasonOf returns the Reason of an error of an attempt, or of a link that was lost. If errors are
// joined, as for several addresses or keys, it returns the most serious Reason, or the first of
// equally serious ones. It returns None if the error has no Reason.
func ReasonOf(err error) Reason {
	worst := None
	walk(err, func(r Reason) {
		if worst == None || r.Class() > worst.Class() {
			worst = r
		}
	})
	return worst
}

// ClassOf returns the Class of ReasonOf(err).
func ClassOf(err error) Class { return ReasonOf(err).Class() }

// walk calls visit with the outermost Reason of each branch of err's tree.
func walk(err error, visit func(Reason)) {
	switch e := err.(type) {
	case nil:
		return
	case Reasoned:
		visit(e.Reason())
		return
	case *net.AddrError: // a host or port that no network could have
		visit(Settings)
		return
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			walk(branch, visit)
		}
		return
	}
	walk(errors.Unwrap(err), visit)
}
