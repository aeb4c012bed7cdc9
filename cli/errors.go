package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Errors whose sentence has been printed already, or that need none.
var (
	errMisused    = errors.New("misused")
	errNotRunning = errors.New("not running")
	errSaid       = errors.New("failed, and said so")
)

// exit prints an error and returns the exit status for it.
func (s *session) exit(err error) int {
	if unwritten := s.out.unwritten(); unwritten != nil && (err == nil || errors.Is(err, errNotRunning)) {
		err = unwritten
	}
	var misuse advice.Misuse
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errMisused):
		return exitMisused
	case errors.Is(err, errNotRunning):
		return exitNotRunning
	case errors.Is(err, errSaid):
		return exitFailed
	case errors.As(err, &misuse):
		hint := ""
		if misuse.Usage != "" {
			hint = misuse.Usage
		}
		s.out.failure(misuse.Message, hint)
		return exitMisused
	}
	message, hint := s.explain(err)
	s.out.failure(message, hint)
	if _, nobody := errors.AsType[nobodyThere](err); nobody {
		return exitNotRunning
	}
	switch {
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return exitNoSuch
	case errors.Is(err, listing.ErrInvalidName):
		return exitMisused
	}
	return exitFailed
}

// explain is an error as a sentence, and what to do about it.
func (s *session) explain(err error) (message, hint string) {
	var with advice.Error
	if errors.As(err, &with) {
		return with.Error(), with.Hint
	}
	status, enable := "systemctl --user status holdfastd", "systemctl --user enable --now holdfastd"
	if s.system {
		status, enable = "systemctl status holdfastd", "systemctl enable --now holdfastd"
	}
	var problems tunnelfile.Problems
	switch {
	case errors.As(err, &problems):
		return err.Error(), ""
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return err.Error(), "holdfast list shows those there are"
	case errors.Is(err, listing.ErrTunnelExists):
		return err.Error(), "holdfast edit changes it, holdfast remove removes it"
	case errors.Is(err, listing.ErrInvalidName):
		return err.Error(), "a name starts with a letter or digit and goes on with those, dots, dashes and underscores; 64 at most"
	case errors.Is(err, dbusapi.ErrDenied):
		return err.Error(), "the same as root: sudo " + s.ours("holdfast "+s.verb) + " …"
	case errors.Is(err, dbusapi.ErrNotInstalled):
		return err.Error(), "is Holdfast installed for this bus? To start the daemon by hand: " + enable
	case errors.Is(err, dbusapi.ErrNotStarted), errors.Is(err, dbusapi.ErrGone), errors.Is(err, dbusapi.ErrStopped):
		return err.Error(), status + " says why"
	case errors.Is(err, dbusapi.ErrNoBus) && s.system:
		return err.Error(), "systemctl status dbus says whether there is one"
	case errors.Is(err, dbusapi.ErrNoBus):
		return err.Error(), "there is none in a bare su or sudo: log in as the user, by ssh or machinectl shell; without any, holdfast-tunnel FILE runs one tunnel"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("holdfastd does not answer (waited %d s)", int(callTime.Seconds())), status + " says what it does"
	case errors.Is(err, context.Canceled):
		return "interrupted", ""
	}
	return err.Error(), ""
}
