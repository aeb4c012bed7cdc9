package keeper

import (
	"errors"
	"net"
)

// Class says what to do about a lost or failed link. That a server still holds a
// remote port is no class here: the link is well then, and package forward tries the port again.
type Class int

// The classes of error.
const (
	Passing    Class = iota // network, refused, reset, timeout: try again
	TurnedAway              // the server closes before its banner, or punishes the address: try again, but later
	Denied                  // authentication: stop, a person is needed
	Distrusted              // host key unknown or changed: stop, loudly
	Mistaken                // configuration: stop until it changes
)

func (c Class) String() string {
	switch c {
	case TurnedAway:
		return "turned away"
	case Denied:
		return "denied"
	case Distrusted:
		return "distrusted"
	case Mistaken:
		return "mistaken"
	}
	return "passing"
}

// Blocks says whether errors of this class need a person: no attempt may reach
// the server until something has changed.
func (c Class) Blocks() bool { return c == Denied || c == Distrusted || c == Mistaken }

// classes is the table: the first row that knows an error names its class, and what
// no row knows is Passing. A link says by behaviour what its errors are. What a
// person must see comes first, because one error may wrap the errors of several
// addresses or keys.
var classes = []struct {
	class Class
	knows func(error) bool
}{
	{Distrusted, func(err error) bool {
		var e interface{ Distrusted() bool }
		return errors.As(err, &e) && e.Distrusted()
	}},
	{Denied, func(err error) bool {
		var e interface{ Denied() bool }
		return errors.As(err, &e) && e.Denied()
	}},
	{Mistaken, func(err error) bool {
		var e interface{ Mistaken() bool }
		return errors.As(err, &e) && e.Mistaken()
	}},
	{Mistaken, func(err error) bool { // a host or port that no network could have
		var e *net.AddrError
		return errors.As(err, &e)
	}},
	{TurnedAway, func(err error) bool {
		var e interface{ TurnedAway() bool }
		return errors.As(err, &e) && e.TurnedAway()
	}},
}

// Classify is the class of an error of a dial, or of a link that was lost.
func Classify(err error) Class {
	for _, row := range classes {
		if row.knows(err) {
			return row.class
		}
	}
	return Passing
}
