package wire

import (
	"fmt"

	"github.com/holdfast/holdfast/internal/text"
)

// RefusedError is the server's refusal to listen on an address.
type RefusedError struct {
	Addr string // host:port or path, as asked for
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server refuses to listen on %s", e.Addr)
}

// ExitError says that a remote command ended with another exit status than 0, or by a signal.
type ExitError struct {
	Status int    // -1 if a signal ended the command
	Signal string // without SIG, such as TERM; empty: none
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "the remote command was ended by SIG" + text.FromPeer(e.Signal)
	}
	return fmt.Sprintf("the remote command ended with exit status %d", e.Status)
}
