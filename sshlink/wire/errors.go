package wire

import (
	"fmt"

	"github.com/holdfast/holdfast/internal/text"
)

// RefusedError is the server's no to a remote listener.
type RefusedError struct {
	Addr string // host:port or path, as asked for
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server refuses to listen on %s", e.Addr)
}

// ExitError is a remote command's exit status, where it is not 0.
type ExitError struct {
	Status int    // -1 where the command was ended by a signal
	Signal string // without SIG, such as TERM; empty: none
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "the remote command was ended by SIG" + text.FromPeer(e.Signal)
	}
	return fmt.Sprintf("the remote command ended with exit status %d", e.Status)
}
