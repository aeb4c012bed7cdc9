package forward

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// failure is why a target could not be reached, as far as the two sides' words tell.
type failure int

const (
	failedSomehow failure = iota
	failedForbidden
	failedRefused
	failedHost // no such name, no route to the host, no answer
	failedNetwork
)

// turnedDown says that the server answered an open and the answer was no: the
// target is to blame, not the link.
func turnedDown(err error) bool {
	var open *ssh.OpenChannelError
	return errors.As(err, &open)
}

// classify reads errors of the link's dialer and of our own. sshd gives strerror(3)
// or gai_strerror(3) of its side as text.
func classify(err error) failure {
	var open *ssh.OpenChannelError
	if errors.As(err, &open) {
		if open.Reason == ssh.Prohibited {
			return failedForbidden
		}
		text := strings.ToLower(open.Message)
		for _, row := range []struct {
			word string
			is   failure
		}{
			{"refused", failedRefused},
			{"network is unreachable", failedNetwork},
			{"no route to host", failedHost},
			{"timed out", failedHost},
			{"unreachable", failedHost},
			{"not known", failedHost},
			{"name resolution", failedHost},
			{"no address associated", failedHost},
		} {
			if strings.Contains(text, row.word) {
				return row.is
			}
		}
		return failedSomehow
	}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errForbidden):
		return failedForbidden
	case errors.Is(err, syscall.ECONNREFUSED):
		return failedRefused
	case errors.Is(err, syscall.ENETUNREACH):
		return failedNetwork
	case errors.Is(err, syscall.EHOSTUNREACH), errors.As(err, &dns),
		errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return failedHost
	}
	return failedSomehow
}

// explain is the sentence for people: "db.internal:5432 refuses connections".
func explain(t target, err error) string {
	switch classify(err) {
	case failedRefused:
		return t.addr + " refuses connections"
	case failedForbidden:
		var open *ssh.OpenChannelError
		if errors.As(err, &open) {
			return t.addr + " is not permitted by the server (AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen)"
		}
		return t.addr + " is not permitted by PermitRemoteOpen"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return t.addr + " does not answer"
	}
	var open *ssh.OpenChannelError
	if errors.As(err, &open) && open.Message != "" {
		return t.addr + ": " + open.Message
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return t.addr + ": " + errno.Error()
	}
	return t.addr + ": " + err.Error()
}
