package fault

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestWords(t *testing.T) {
	address := &net.UnixAddr{Name: "@", Net: "unix"}
	reset := &net.OpError{Op: "read", Net: "unix", Source: address, Addr: address, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 2), Port: 2200}, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		err  error
		want string
	}{
		{io.EOF, "EOF"},
		{reset, "connection reset by peer"},
		{fmt.Errorf("ssh: handshake failed: %w", reset), "ssh: handshake failed: connection reset by peer"},
		{fmt.Errorf("%w; the ProxyCommand said: no", reset), "connection reset by peer; the ProxyCommand said: no"},
		{errors.Join(refused, reset), "connection refused\nconnection reset by peer"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, "i/o timeout"},
		{&net.DNSError{Err: "server misbehaving", Name: "gate", Server: "192.0.2.53:53"}, "server misbehaving"},
		{&os.PathError{Op: "open", Path: "/f", Err: syscall.EACCES}, "open /f: permission denied"},
		{Wrap(Unreachable, refused, "cannot connect to %s port %d", "198.51.100.2", 2200), "cannot connect to 198.51.100.2 port 2200: connection refused"},
		{Wrap(Lost, Wrap(Unreachable, reset, "b"), "a"), "a: b: connection reset by peer"},
	} {
		if got := Words(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
