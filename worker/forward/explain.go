package forward

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/worker/socks"
)

// turnedDown says whether the server refused to open a channel (SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254).
// Then the link works, and the problem is the target.
func turnedDown(err error) bool {
	var open *ssh.OpenChannelError
	return errors.As(err, &open)
}

// classify says why a target could not be reached, from an error of a link's dialer or of our own. sshd
// sends the text of strerror(3) or gai_strerror(3) on its side.
func classify(err error) socks.Reply {
	var open *ssh.OpenChannelError
	if errors.As(err, &open) {
		if open.Reason == ssh.Prohibited {
			return socks.NotAllowed
		}
		text := strings.ToLower(open.Message)
		for _, row := range []struct {
			word string
			is   socks.Reply
		}{
			{"refused", socks.ConnectionRefused},
			{"network is unreachable", socks.NetworkUnreachable},
			{"no route to host", socks.HostUnreachable},
			{"timed out", socks.HostUnreachable},
			{"unreachable", socks.HostUnreachable},
			{"not known", socks.HostUnreachable},
			{"name resolution", socks.HostUnreachable},
			{"no address associated", socks.HostUnreachable},
		} {
			if strings.Contains(text, row.word) {
				return row.is
			}
		}
		return socks.GeneralFailure
	}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errForbidden):
		return socks.NotAllowed
	case errors.Is(err, syscall.ECONNREFUSED):
		return socks.ConnectionRefused
	case errors.Is(err, syscall.ENETUNREACH):
		return socks.NetworkUnreachable
	case errors.Is(err, syscall.EHOSTUNREACH), errors.As(err, &dns),
		errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return socks.HostUnreachable
	}
	return socks.GeneralFailure
}

// explain says for people why a target could not be reached: "db.internal:5432 refuses connections".
func explain(t target, err error) string {
	switch classify(err) {
	case socks.ConnectionRefused:
		return t.addr + " refuses connections"
	case socks.NotAllowed:
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
