package forward

import (
	"bufio"
	"bytes"
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
)

func TestReadSOCKS(t *testing.T) {
	long := strings.Repeat("n", 255)
	for _, row := range []struct {
		name, in string
		want     socksRequest
		answer   string // written on the way
		rest     string // left for the stream
		fails    bool
	}{
		{"4", "\x04\x01\x00\x50\x7f\x00\x00\x01me\x00rest", socksRequest{4, "127.0.0.1", 80}, "", "rest", false},
		{"4, address 0", "\x04\x01\x00\x50\x00\x00\x00\x00\x00", socksRequest{4, "0.0.0.0", 80}, "", "", false},
		{"4a", "\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.org\x00rest", socksRequest{4, "example.org", 443}, "", "rest", false},
		{"4a, longest", "\x04\x01\x01\xbb\x00\x00\x00\x01" + long + "\x00" + long + "\x00", socksRequest{4, long, 443}, "", "", false},
		{"4 bind", "\x04\x02\x00\x50\x7f\x00\x00\x01\x00", socksRequest{}, "\x00\x5b\x00\x00\x00\x00\x00\x00", "", true},
		{"4a without name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", socksRequest{}, "\x00\x5b\x00\x00\x00\x00\x00\x00", "", true},
		{"4 endless user", "\x04\x01\x00\x50\x7f\x00\x00\x01" + long + "n\x00", socksRequest{}, "", "", true},
		{"5 IPv4", "\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x07\x1f\x90rest", socksRequest{5, "10.0.0.7", 8080}, "\x05\x00", "rest", false},
		{"5 IPv6", "\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x16", socksRequest{5, "::1", 22}, "\x05\x00", "", false},
		{"5 name", "\x05\x02\x02\x00\x05\x01\x00\x03\x02db\x15\x38", socksRequest{5, "db", 5432}, "\x05\x00", "", false},
		{"5 empty name", "\x05\x01\x00\x05\x01\x00\x03\x00\x15\x38", socksRequest{}, "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 name with a newline", "\x05\x01\x00\x05\x01\x00\x03\x03a\nb\x15\x38", socksRequest{}, "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 bind", "\x05\x01\x00\x05\x02\x00\x01\x0a\x00\x00\x07\x1f\x90", socksRequest{}, "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 strange address", "\x05\x01\x00\x05\x01\x00\x09", socksRequest{}, "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 password only", "\x05\x01\x02", socksRequest{}, "\x05\xff", "", true},
		{"5 without methods", "\x05\x00", socksRequest{}, "\x05\xff", "", true},
		{"http", "GET / HTTP/1.1\r\n", socksRequest{}, "", "", true},
		{"cut short", "\x05\x01\x00\x05\x01", socksRequest{}, "\x05\x00", "", true},
		{"nothing", "", socksRequest{}, "", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := bufio.NewReaderSize(strings.NewReader(row.in), socksBuffer)
			var answer bytes.Buffer
			got, err := readSOCKS(r, &answer)
			if (err != nil) != row.fails {
				t.Fatalf("error %v", err)
			}
			if answer.String() != row.answer {
				t.Errorf("answered %q, not %q", answer.String(), row.answer)
			}
			if row.fails {
				return
			}
			if got != row.want {
				t.Errorf("got %+v, not %+v", got, row.want)
			}
			if rest, _ := io.ReadAll(r); string(rest) != row.rest {
				t.Errorf("left %q, not %q", rest, row.rest)
			}
		})
	}
}

// Whatever a client sends: no panic, nothing read without bound, a host that can be
// dialled, and no byte behind the request lost.
func FuzzReadSOCKS(f *testing.F) {
	f.Add([]byte("\x04\x01\x00\x50\x7f\x00\x00\x01me\x00rest"))
	f.Add([]byte("\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.org\x00rest"))
	f.Add([]byte("\x04\x01\x01\xbb\x00\x00\x00\x01\x00e[ample.org\x00rest"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x07\x1f\x90rest"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x03\x02db\x15\x38"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x04aaaabbbbccccdddd\x15\x38x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var answer bytes.Buffer
		r := bufio.NewReaderSize(bytes.NewReader(in), socksBuffer)
		q, err := readSOCKS(r, &answer)
		rest, _ := io.ReadAll(r)
		if answer.Len() > 12 {
			t.Fatalf("answered %d bytes", answer.Len())
		}
		if err != nil {
			return
		}
		if !bytes.HasSuffix(in, rest) || len(in)-len(rest) > socksBuffer {
			t.Fatalf("read %d of %d bytes", len(in)-len(rest), len(in))
		}
		host, port, err := net.SplitHostPort(q.target().addr)
		if err != nil || host != q.host || port == "" || !validHost(host) {
			t.Fatalf("%+v gives target %q: %v", q, q.target().addr, err)
		}
	})
}

// Clients are told why a connection fails, in the words of their protocol.
func TestSOCKSReplies(t *testing.T) {
	open := func(reason ssh.RejectionReason, message string) error {
		return &ssh.OpenChannelError{Reason: reason, Message: message}
	}
	for _, row := range []struct {
		err  error
		code byte
	}{
		{open(ssh.Prohibited, "open failed"), socks5NotAllowed},
		{open(ssh.ConnectionFailed, "Connection refused"), socks5ConnectionRefused},
		{open(ssh.ConnectionFailed, "No route to host"), socks5HostUnreachable},
		{open(ssh.ConnectionFailed, "Network is unreachable"), socks5NetworkUnreachable},
		{open(ssh.ConnectionFailed, "Name or service not known"), socks5HostUnreachable},
		{open(ssh.ConnectionFailed, "Temporary failure in name resolution"), socks5HostUnreachable},
		{open(ssh.ConnectionFailed, "Connection timed out"), socks5HostUnreachable},
		{open(ssh.ResourceShortage, "out of channels"), socks5GeneralFailure},
		{errForbidden, socks5NotAllowed},
		{&net.OpError{Err: syscall.ECONNREFUSED}, socks5ConnectionRefused},
		{&net.OpError{Err: syscall.ENETUNREACH}, socks5NetworkUnreachable},
		{&net.DNSError{IsNotFound: true}, socks5HostUnreachable},
		{context.DeadlineExceeded, socks5HostUnreachable},
		{errors.New("else"), socks5GeneralFailure},
	} {
		var answer bytes.Buffer
		socksRequest{version: socks5}.deny(&answer, classify(row.err))
		if got := answer.Bytes()[1]; got != row.code {
			t.Errorf("%v: code %d, not %d", row.err, got, row.code)
		}
		if text := explain(target{"tcp", "db:1"}, row.err); !strings.HasPrefix(text, "db:1") {
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
		code    byte
	}{
		{"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x07", socks5ConnectionRefused},
		{"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x08", socks5NotAllowed},
		{"\x05\x01\x00\x03\x12nosuchhost.invalid\x00\x07", socks5HostUnreachable},
	} {
		c := connect(t, s.addr(0))
		io.WriteString(c, "\x05\x01\x00"+row.request) // all at once, as some clients do
		answer, err := io.ReadAll(c)
		if len(answer) != 12 || answer[3] != row.code {
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
	listen := freeAddr(t)
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
	listen := freeAddr(t)
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
