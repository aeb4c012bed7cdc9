package sockets

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
)

// Both ways of asking for a socket's owner know the same.
func TestSocketOwner(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "tcp"} {
		l, err := net.Listen(network, ":0")
		if err != nil {
			t.Log(err)
			continue
		}
		defer l.Close()
		hosts := []string{"127.0.0.1"}
		if network == "tcp6" {
			hosts = []string{"::1"}
		}
		for _, host := range hosts {
			client, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			c, s := addrPort(server.RemoteAddr()), addrPort(server.LocalAddr())
			if uid, err := diagOwner(c, s); err != nil || uid != uint32(os.Getuid()) {
				t.Errorf("%s: sock_diag says %d, %v", network, uid, err)
			}
			if uid, err := procOwner(c, s); err != nil || uid != uint32(os.Getuid()) {
				t.Errorf("%s: /proc says %d, %v", network, uid, err)
			}
			if !OwnPeer(server) {
				t.Errorf("%s: not ours", network)
			}
			if _, err := diagOwner(s, s); err == nil {
				t.Errorf("%s: an owner of a socket that is not there", network)
			}
		}
	}
}

// A client that has closed its socket has no owner any more, whoever it was: in the time that
// it is known for, the kernel says uid 0.
func TestSocketWithoutOwner(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(client, "hello")
	client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c, s := addrPort(server.RemoteAddr()), addrPort(server.LocalAddr())
	if uid, err := diagOwner(c, s); !errors.Is(err, errNoOwner) {
		t.Errorf("sock_diag says %d, %v", uid, err)
	}
	if uid, err := procOwner(c, s); !errors.Is(err, errNoOwner) {
		t.Errorf("/proc says %d, %v", uid, err)
	}
	if OwnPeer(server) {
		t.Error("taken for ours")
	}
}
