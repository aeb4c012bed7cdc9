package wire

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// LostError is the error for an established link that was lost because of err.
func LostError(host string, err error) error {
	if e := fault.As(err); e != nil {
		return e
	}
	switch said := err.Error(); {
	case errors.Is(err, io.EOF):
		return fault.Because(fault.Lost, io.EOF, "%s closed the connection", host)
	case errors.Is(err, syscall.ETIMEDOUT):
		return fault.Because(fault.Lost, err, "%s acknowledges nothing any more", host)
	case strings.Contains(said, "ssh: disconnect, reason"):
		return fault.New(fault.Lost, "%s ended the connection: %s", host, text.FromPeer(strings.TrimPrefix(said, "ssh: ")))
	}
	return fault.Because(fault.Lost, err, "connection to %s lost: %s", host, text.FromPeer(strings.TrimPrefix(fault.Words(err), "ssh: ")))
}
