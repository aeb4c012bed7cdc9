//go:build !cgo

package indicator

import (
	"errors"

	"github.com/holdfast/holdfast/tray"
)

// ErrUnseen is not met in such a build.
var ErrUnseen = errors.New("no panel can see the icon")

// Run says that there is no panel's library in this build.
func Run(func(tray.Icon) []byte, func(tray.Driver)) error {
	return errors.New("this holdfast-tray was built without cgo and can only --dump; build it with CGO_ENABLED=1 and libayatana-appindicator3-dev")
}

// Quit has nothing to end.
func Quit() {}
