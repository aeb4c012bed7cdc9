package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/socks"
)

// Clients are told why a connection fails, in the words of their protocol.
func TestSOCKSReplies(t *testing.T) {
	open := func(reason ssh.RejectionReason, message string) error {
		return &ssh.OpenChannelError{Reason: reason, Message: message}
	}
	for _, row := range []struct {
		err  error
		code socks.Reply
	}{
		{open(ssh.Prohibited, "open failed"), socks.NotAllowed},
		{open(ssh.ConnectionFailed, "Connection refused"), socks.ConnectionRefused},
		{open(ssh.ConnectionFailed, "No route to host"), socks.HostUnreachable},
		{open(ssh.ConnectionFailed, "Network is unreachable"), socks.NetworkUnreachable},
		{open(ssh.ConnectionFailed, "Name or service not known"), socks.HostUnreachable},
		{open(ssh.ConnectionFailed, "Temporary failure in name resolution"), socks.HostUnreachable},
		{open(ssh.ConnectionFailed, "Connection timed out"), socks.HostUnreachable},
		{open(ssh.ResourceShortage, "out of channels"), socks.GeneralFailure},
		{errForbidden, socks.NotAllowed},
		{&net.OpError{Err: syscall.ECONNREFUSED}, socks.ConnectionRefused},
		{&net.OpError{Err: syscall.ENETUNREACH}, socks.NetworkUnreachable},
		{&net.DNSError{IsNotFound: true}, socks.HostUnreachable},
		{context.DeadlineExceeded, socks.HostUnreachable},
		{errors.New("else"), socks.GeneralFailure},
	} {
		if got := classify(row.err); got != row.code {
			t.Errorf("%v: code %d, not %d", row.err, got, row.code)
		}
		if text := Reason("db:1", row.err); !strings.HasPrefix(text, "db:1") {
			t.Errorf("%v: explained as %q", row.err, text)
		}
	}
}

// The same against a real sshd: its words are those that the table above expects.
func TestSOCKSRepliesOfRealServer(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"PermitOpen *:7 nosuchhost.invalid:*"}})
	link := dialSSH(t, server, server.Addr)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{dynamic(loopback)}})
	use(t, s, link)
	defer s.Lost(link)
	for _, row := range []struct {
		request string
		code    socks.Reply
	}{
		{"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x07", socks.ConnectionRefused},
		{"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x08", socks.NotAllowed},
		{"\x05\x01\x00\x03\x12nosuchhost.invalid\x00\x07", socks.HostUnreachable},
	} {
		c := connect(t, s.addr(0))
		io.WriteString(c, "\x05\x01\x00"+row.request) // all at once, as some clients do
		answer, err := io.ReadAll(c)
		if len(answer) != 12 || answer[3] != byte(row.code) {
			t.Errorf("%q: answered %q, %v; not code %d", row.request, answer, err, row.code)
		}
	}
	if n := s.Totals().Refused; n != 3 {
		t.Errorf("%d refused connections counted, not 3", n)
	}
}

func TestPermitRemoteOpen(t *testing.T) {
	for _, row := range []struct {
		rules []string
		host  string
		port  uint16
		want  bool
	}{
		{nil, "a", 1, true},
		{[]string{"any"}, "a", 1, true},
		{[]string{"none"}, "a", 1, false},
		{[]string{"a:1"}, "a", 1, true},
		{[]string{"a:1"}, "a", 2, false},
		{[]string{"b:1", "a:*"}, "a", 2, true},
		{[]string{"*:2"}, "a", 2, true},
		{[]string{"a*:2"}, "ab", 2, false},
		{[]string{"[::1]:22"}, "::1", 22, true},
	} {
		if got := permitted(row.rules, row.host, row.port); got != row.want {
			t.Errorf("%v: %s:%d: %v", row.rules, row.host, row.port, got)
		}
	}
}

// A reverse SOCKS proxy goes where PermitRemoteOpen says, and nowhere else.
func TestReverseSOCKSHonoursPermitRemoteOpen(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	listen := testbed.FreeAddr(t)
	s := newSet(t, Config{
		Forwards:         []tunnelfile.Forward{remote(tcp(listen), tunnelfile.Address{})},
		PermitRemoteOpen: []string{echo.String()},
	})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	c := connect(t, listen)
	if err := testbed.AskSOCKS(c, "5", echo.String()); err != nil {
		t.Fatal(err)
	}
	testbed.CheckEcho(t, c, 1000, patience)
	if err := testbed.AskSOCKS(connect(t, listen), "5", "127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), `\x05\x02`) {
		t.Errorf("another target: %v", err)
	}
}

// What a client sends right behind its request belongs to the stream.
func TestSOCKSClientInAHurry(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	listen := testbed.FreeAddr(t)
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{dynamic(loopback), remote(tcp(listen), tunnelfile.Address{})}})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	port := echo.(*net.TCPAddr).Port
	for _, a := range []net.Addr{s.addr(0), listen} {
		c := connect(t, a)
		fmt.Fprintf(c, "\x04\x01%s\x7f\x00\x00\x01\x00early", []byte{byte(port >> 8), byte(port)})
		closeWrite(c)
		if got, err := io.ReadAll(c); err != nil || string(got) != "\x00\x5a\x00\x00\x00\x00\x00\x00early" {
			t.Errorf("read %q, %v", got, err)
		}
	}
}
