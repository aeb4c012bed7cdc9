package sshlink

import (
	"errors"
	"io"
	"strings"
	"syscall"
)

// lostError says how an established link was lost.
func lostError(host string, err error) error {
	if e := asError(err); e != nil {
		return e
	}
	switch text := err.Error(); {
	case errors.Is(err, io.EOF):
		return because(passing, io.EOF, "%s closed the connection", host)
	case errors.Is(err, syscall.ETIMEDOUT):
		return because(passing, err, "%s acknowledges nothing any more", host)
	case strings.Contains(text, "ssh: disconnect, reason"):
		return errorf(passing, "%s ended the connection: %s", host, printable(strings.TrimPrefix(text, "ssh: ")))
	}
	return wrapf(passing, err, "connection to %s lost", host)
}

// postQuantum says whether a key exchange also rests on a problem that quantum computers
// are not known to solve.
func postQuantum(kex string) bool {
	return strings.HasPrefix(kex, "mlkem768") || strings.HasPrefix(kex, "sntrup761")
}
