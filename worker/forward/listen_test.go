package forward

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Without a bind address both loopback addresses answer, and no other.
func TestLoopbackInBothFamilies(t *testing.T) {
	port := testbed.FreeAddr(t).Port
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{local(tunnelfile.Address{Port: port}, tcp(testbed.FreeAddr(t)))}})
	for _, p := range s.forwards[0].ports {
		if !p.listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
			t.Errorf("listens on %v", p.listener.Addr())
		}
	}
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		hosts = append(hosts, "::1")
	}
	if len(s.forwards[0].ports) != len(hosts) {
		t.Errorf("%d listeners", len(s.forwards[0].ports))
	}
	for i, host := range hosts {
		c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			t.Error(err)
			continue
		}
		defer c.Close()
		awaitPending(t, s, int64(i+1))
	}
}

// An address that is taken is said with the forward's name and who has it, and
// nothing stays open.
func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := testbed.Echo(t, "unix", socketPath(t, "s"))
	other := testbed.FreeAddr(t)
	comm, _ := os.ReadFile("/proc/self/comm")
	who := fmt.Sprintf(" (held by %s, pid %d)", strings.TrimSpace(string(comm)), os.Getpid())
	for _, listen := range []tunnelfile.Address{
		tcp(taken.Addr()),
		{Port: taken.Addr().(*net.TCPAddr).Port},
		sock(socket.String()),
	} {
		_, err := New(Config{
			Forwards:              []tunnelfile.Forward{local(tcp(other), tcp(other)), local(listen, tcp(other))},
			StreamLocalBindMask:   0o177,
			StreamLocalBindUnlink: true,
			ExitOnForwardFailure:  true,
		})
		want := "LocalForward " + listen.String() + ": address already in use" + who
		if err == nil || err.Error() != want {
			t.Errorf("error %v, not %s", err, want)
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v does not wrap EADDRINUSE", err)
		}
	}
	if l, err := net.Listen("tcp", other.String()); err != nil {
		t.Errorf("left open: %v", err)
	} else {
		l.Close()
	}
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		defer six.Close()
		port := six.Addr().(*net.TCPAddr).Port
		if _, err := New(Config{ExitOnForwardFailure: true, Forwards: []tunnelfile.Forward{local(tunnelfile.Address{Port: port}, tcp(other))}}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("[::1] taken: %v", err)
		}
		if l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", itoa(port))); err != nil {
			t.Errorf("127.0.0.1 left open: %v", err)
		} else {
			l.Close()
		}
	}
	if conn, err := net.Dial("unix", socket.String()); err != nil {
		t.Errorf("the other's socket is gone: %v", err)
	} else {
		conn.Close()
	}
}

func TestUnixSocketFiles(t *testing.T) {
	dir := testbed.SocketDir(t)
	forward := func(name string) []tunnelfile.Forward {
		return []tunnelfile.Forward{local(sock(filepath.Join(dir, name)), tcp(testbed.FreeAddr(t)))}
	}
	t.Run("mode and removal", func(t *testing.T) {
		for mask, want := range map[os.FileMode]os.FileMode{0o177: 0o600, 0: 0o777, 0o117: 0o660} {
			path := filepath.Join(dir, "mode")
			p, err := listenUnix(path, mask, false)
			if err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("mask %o: %v, %v", mask, info.Mode(), err)
			}
			p.close()
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("still there: %v", err)
			}
		}
	})
	t.Run("another's is not removed", func(t *testing.T) {
		path := filepath.Join(dir, "other")
		p, err := listenUnix(path, 0o177, false)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(path)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		p.close()
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("stale", func(t *testing.T) {
		path := filepath.Join(dir, "stale")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		if _, err := New(Config{Forwards: forward("stale"), StreamLocalBindMask: 0o177, ExitOnForwardFailure: true}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("without StreamLocalBindUnlink: %v", err)
		}
		s := newSet(t, Config{Forwards: forward("stale"), StreamLocalBindUnlink: true})
		connect(t, s.addr(0))
		awaitPending(t, s, 1)
	})
	t.Run("no socket is never removed", func(t *testing.T) {
		path := filepath.Join(dir, "file")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Forwards: forward("file"), StreamLocalBindUnlink: true, ExitOnForwardFailure: true}); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
}

// inherit makes a listener as the service manager hands it over.
func inherit(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inherited, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return inherited
}

// Inherited listeners go to the forwards that listen there; one that no forward wants
// resets instead of leaving clients in the dark.
func TestInheritedListeners(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	tcp4, all, unix, surplus := inherit(t, "tcp", "127.0.0.1:0"), inherit(t, "tcp", ":0"), inherit(t, "unix", socketPath(t, "u")), inherit(t, "tcp", "127.0.0.1:0")
	s := newSet(t, Config{
		Forwards: []tunnelfile.Forward{
			local(sock(unix.Addr().String()), tcp(echo)),
			local(tunnelfile.Address{Port: tcp4.Addr().(*net.TCPAddr).Port}, tcp(echo)),
			local(tunnelfile.Address{Port: all.Addr().(*net.TCPAddr).Port, Bind: true, Host: "*"}, tcp(echo)),
		},
		Inherited: []net.Listener{surplus, all, tcp4, unix},
	})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	for i, l := range []net.Listener{unix, tcp4, all} {
		if ports := s.forwards[i].ports; len(ports) != 1 || ports[0].listener != l {
			t.Errorf("forward %d listens on others", i)
		}
		a := l.Addr()
		if tcpAddr, ok := a.(*net.TCPAddr); ok && tcpAddr.IP.IsUnspecified() {
			a = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcpAddr.Port}
		}
		testbed.CheckEcho(t, connect(t, a), 1000, patience)
	}
	isReset(t, surplus.Addr())
}
