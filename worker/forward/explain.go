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

// TurnedDown says whether the server refused to open a channel (SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254).
// Then the link works, and the problem is the target.
func TurnedDown(err error) bool {
	_, ok := errors.AsType[*ssh.OpenChannelError](err)
	return ok
}

// Prohibited says whether the server does not allow to open this channel.
func Prohibited(err error) bool { return classify(err) == socks.NotAllowed }

// classify says why a target could not be reached, from an error of a link's dialer or of our own. sshd
// sends the text of strerror(3) or gai_strerror(3) on its side.
func classify(err error) socks.Reply {
	if open, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
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

// Reason says for people why a target could not be reached: "db.internal:5432 refuses connections". addr
// is host:port or the path of a socket.
func Reason(addr string, err error) string {
	open, byServer := errors.AsType[*ssh.OpenChannelError](err)
	errno, isErrno := errors.AsType[syscall.Errno](err)
	kind := classify(err)
	switch {
	case kind == socks.ConnectionRefused:
		return addr + " refuses connections"
	case kind == socks.NotAllowed && byServer:
		return addr + " is not permitted by the server (AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen)"
	case kind == socks.NotAllowed:
		return addr + " is not permitted by PermitRemoteOpen"
	case errors.Is(err, context.DeadlineExceeded):
		return addr + " does not answer"
	case byServer && open.Message != "":
		return addr + ": " + open.Message
	case isErrno:
		return addr + ": " + errno.Error()
	}
	return addr + ": " + err.Error()
}
