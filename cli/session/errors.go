package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Exit statuses of holdfast.
const (
	exitDone       = 0
	exitFailed     = 1
	exitMisused    = 2
	exitNoSuch     = 3 // no tunnel has the name
	exitNotRunning = 4 // status: as systemctl; askpass: nobody to ask
)

// Errors that are printed already, or need no message.
var (
	ErrMisused    = errors.New("misused")
	ErrNotRunning = errors.New("not running")
	ErrPrinted    = errors.New("failed, and said so")
)

// Exit prints an error and returns its exit status.
func (s *Session) Exit(err error) int {
	if unwritten := s.Out.Unwritten(); unwritten != nil && (err == nil || errors.Is(err, ErrNotRunning)) {
		err = unwritten
	}
	var misuse advice.Misuse
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, ErrMisused):
		return exitMisused
	case errors.Is(err, ErrNotRunning):
		return exitNotRunning
	case errors.Is(err, ErrPrinted):
		return exitFailed
	case errors.As(err, &misuse):
		s.Out.Failure(misuse.Message, misuse.Usage)
		return exitMisused
	}
	message, hint := s.Explain(err)
	s.Out.Failure(message, hint)
	_, nobody := errors.AsType[NobodyThere](err)
	switch {
	case nobody:
		return exitNotRunning
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return exitNoSuch
	case errors.Is(err, listing.ErrInvalidName):
		return exitMisused
	}
	return exitFailed
}

// Explain is an error's message, and a hint about what to do.
func (s *Session) Explain(err error) (message, hint string) {
	var with advice.Error
	if errors.As(err, &with) {
		return with.Error(), with.Hint
	}
	status, enable := s.Systemctl()+" status holdfastd", s.Systemctl()+" enable --now holdfastd"
	var problems tunnelfile.Problems
	switch {
	case errors.As(err, &problems):
		return err.Error(), ""
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return err.Error(), "holdfast list shows all tunnels"
	case errors.Is(err, listing.ErrTunnelExists):
		return err.Error(), "holdfast edit changes it, holdfast remove removes it"
	case errors.Is(err, listing.ErrInvalidName):
		return err.Error(), "a name starts with a letter or digit and goes on with those, dots, dashes and underscores; 64 at most"
	case errors.Is(err, dbusapi.ErrDenied):
		return err.Error(), "the same as root: " + s.AsRoot()
	case errors.Is(err, dbusapi.ErrNotInstalled):
		return err.Error(), "is Holdfast installed for this bus? To start the daemon by hand: " + enable
	case errors.Is(err, dbusapi.ErrNotStarted), errors.Is(err, dbusapi.ErrGone), errors.Is(err, dbusapi.ErrStopped):
		return err.Error(), status + " says why"
	case errors.Is(err, dbusapi.ErrNoBus) && s.System:
		return err.Error(), "systemctl status dbus says whether there is one"
	case errors.Is(err, dbusapi.ErrNoBus):
		return err.Error(), "su and sudo do not start one: log in as the user, with ssh or machinectl shell; without a bus, holdfast-tunnel FILE runs one tunnel"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("holdfastd does not answer (waited %d s)", int(dbusapi.Patience.Seconds())), status + " says what it does"
	case errors.Is(err, context.Canceled):
		return "interrupted", ""
	}
	return err.Error(), ""
}

// NobodyThere says that nobody could be asked.
type NobodyThere struct{ Err error }

func (e NobodyThere) Error() string { return e.Err.Error() }
func (e NobodyThere) Unwrap() error { return e.Err }
