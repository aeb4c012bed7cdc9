package bus

import (
	"errors"
	"slices"

	"github.com/godbus/dbus/v5"
)

// NoOwner says whether a call failed because its destination has no owner.
func NoOwner(err error) bool {
	return Is(err, Name+".Error.NameHasNoOwner", Name+".Error.ServiceUnknown")
}

// Is says whether a call failed with an error of one of these names.
func Is(err error, names ...string) bool {
	e, ok := errors.AsType[dbus.Error](err)
	return ok && slices.Contains(names, e.Name)
}
