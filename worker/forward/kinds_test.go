package forward

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Each kind of forward carries bytes both ways through a real sshd, and passes the
// half-close on that the echo server needs to see.
func TestEveryKindOfForward(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	echoTCP := testbed.Echo(t, "tcp", "127.0.0.1:0")
	echoUnix := testbed.Echo(t, "unix", socketPath(t, "echo"))

	straight := func(t *testing.T, a net.Addr, _ net.Addr) net.Conn { return connect(t, a) }
	socks := func(version string) func(*testing.T, net.Addr, net.Addr) net.Conn {
		return func(t *testing.T, a, target net.Addr) net.Conn {
			c := connect(t, a)
			if err := testbed.AskSOCKS(c, version, target.String()); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	for _, row := range []struct {
		name    string
		forward tunnelfile.Forward
		connect func(*testing.T, net.Addr, net.Addr) net.Conn
	}{
		{"local tcp to tcp", local(loopback, tcp(echoTCP)), straight},
		{"local tcp to unix", local(loopback, sock(echoUnix.String())), straight},
		{"local unix to tcp", local(sock(socketPath(t, "l1")), tcp(echoTCP)), straight},
		{"local unix to unix", local(sock(socketPath(t, "l2")), sock(echoUnix.String())), straight},
		{"remote tcp to tcp", remote(tcp(testbed.FreeAddr(t)), tcp(echoTCP)), straight},
		{"remote tcp to unix", remote(tcp(testbed.FreeAddr(t)), sock(echoUnix.String())), straight},
		{"remote unix to tcp", remote(sock(socketPath(t, "r1")), tcp(echoTCP)), straight},
		{"remote unix to unix", remote(sock(socketPath(t, "r2")), sock(echoUnix.String())), straight},
		{"dynamic tcp, socks5", dynamic(loopback), socks("5")},
		{"dynamic tcp, socks5 by name", dynamic(loopback), socks("5h")},
		{"dynamic tcp, socks4", dynamic(loopback), socks("4")},
		{"dynamic unix, socks4a", dynamic(sock(socketPath(t, "d1"))), socks("4a")},
		{"reverse socks5", remote(tcp(testbed.FreeAddr(t)), tunnelfile.Address{}), socks("5")},
		{"reverse socks4a, unix", remote(sock(socketPath(t, "r3")), tunnelfile.Address{}), socks("4a")},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSet(t, Config{Forwards: []tunnelfile.Forward{row.forward}})
			use(t, s, link)
			defer s.Lost(link)
			report := s.Report()[0]
			if report.State != tunnelfile.Up {
				t.Fatalf("%s: %s", report.State, report.Message)
			}
			var a net.Addr
			switch listen := row.forward.Listen; {
			case row.forward.Kind != tunnelfile.RemoteForward:
				a = s.addr(0)
			case listen.Unix != "":
				a = &net.UnixAddr{Net: "unix", Name: listen.Unix}
			default:
				a = &net.TCPAddr{IP: net.ParseIP(listen.Host), Port: listen.Port}
			}
			testbed.CheckEcho(t, row.connect(t, a, echoTCP), size, 10*patience)
			testbed.WaitFor(t, patience, func() error {
				if r := s.Report()[0]; r.BytesSent != uint64(size) || r.BytesReceived != uint64(size) || r.ChannelsOpen != 0 || r.ChannelsTotal != 1 {
					return fmt.Errorf("counted %+v", r)
				}
				if s.IdleSince().IsZero() {
					return errors.New("not idle after its last connection")
				}
				return nil
			})
		})
	}
}
