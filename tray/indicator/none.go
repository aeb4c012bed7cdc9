//go:build !cgo

package indicator

import (
	"errors"

	"github.com/holdfast/holdfast/tray"
)

// ErrUnseen never occurs in a build without cgo.
var ErrUnseen = errors.New("no panel can see the icon")

// Run returns an error: a build without cgo has no driver.
func Run(func(tray.Driver)) error {
	return errors.New("this holdfast-tray was built without cgo and can only --dump; build it with CGO_ENABLED=1 and libayatana-appindicator3-dev")
}

// Quit does nothing.
func Quit() {}
