package sockets

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestOf(t *testing.T) {
	loopback := "[{tcp4 127.0.0.1:80}]"
	if (Address{"tcp6", "[::1]:80"}).exists() {
		loopback = "[{tcp4 127.0.0.1:80} {tcp6 [::1]:80}]"
	}
	for _, c := range []struct {
		listen  tunnelfile.Address
		gateway bool
		want    string
	}{
		{tunnelfile.Address{Port: 80}, false, loopback},
		{tunnelfile.Address{Port: 80}, true, "[{tcp :80}]"},
		{tunnelfile.Address{Port: 80, Host: "localhost", Bind: true}, true, loopback},
		{tunnelfile.Address{Port: 80, Bind: true}, false, "[{tcp :80}]"},
		{tunnelfile.Address{Port: 80, Host: "*", Bind: true}, false, "[{tcp :80}]"},
		{tunnelfile.Address{Port: 80, Host: "::1", Bind: true}, false, "[{tcp6 [::1]:80}]"},
		{tunnelfile.Address{Port: 80, Host: "192.0.2.1", Bind: true}, true, "[{tcp4 192.0.2.1:80}]"},
		{tunnelfile.Address{Port: 80, Host: "nosuchhost.invalid", Bind: true}, false, "[{tcp nosuchhost.invalid:80}]"},
		{tunnelfile.Address{Unix: "/run/a b"}, false, "[{unix /run/a b}]"},
	} {
		got, err := Of(t.Context(), c.listen, c.gateway)
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v, GatewayPorts %v: %v", c.listen, c.gateway, got)
		}
		if (err != nil) != strings.Contains(c.listen.Host, "invalid") {
			t.Errorf("%+v: %v", c.listen, err)
		}
	}
}

// Of several addresses only those count that the machine has; of one it is said what is wrong.
func TestPresent(t *testing.T) {
	here, elsewhere, nowhere := Address{"tcp4", "127.0.0.1:80"}, Address{"tcp4", "240.0.0.1:80"}, Address{"tcp4", "240.0.0.2:80"}
	for _, c := range []struct{ all, want []Address }{
		{[]Address{here, elsewhere}, []Address{here}},
		{[]Address{elsewhere}, []Address{elsewhere}},
		{[]Address{elsewhere, nowhere}, []Address{elsewhere, nowhere}},
	} {
		if got := present(c.all); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v", c.all, got)
		}
	}
}

func TestIs(t *testing.T) {
	for _, c := range []struct {
		address Address
		addr    string
		want    bool
	}{
		{Address{"tcp4", "127.0.0.1:80"}, "127.0.0.1:80", true},
		{Address{"tcp4", "127.0.0.1:80"}, "127.0.0.1:81", false},
		{Address{"tcp4", "127.0.0.1:80"}, "[::1]:80", false},
		{Address{"tcp", ":80"}, "[::]:80", true},
		{Address{"tcp", ":80"}, "0.0.0.0:80", true},
		{Address{"tcp", ":80"}, "127.0.0.1:80", false},
		{Address{"tcp", "10.0.0.1:80"}, "[::ffff:10.0.0.1]:80", true},
		{Address{"tcp", "a.name.that.is.not.known:80"}, "10.0.0.1:80", true},
		{Address{"tcp", "a.name.that.is.not.known:80"}, "10.0.0.1:81", false},
		{Address{"unix", "/run/x"}, "127.0.0.1:80", false},
	} {
		if got := c.address.Is(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.addr))); got != c.want {
			t.Errorf("%v is %s: %v", c.address, c.addr, got)
		}
	}
}

// onPort is a forward that listens on 127.0.0.1.
func onPort(port int) tunnelfile.Forward {
	return tunnelfile.Forward{Kind: tunnelfile.LocalForward, Listen: tunnelfile.Address{Host: "127.0.0.1", Bind: true, Port: port}}
}

func TestFree(t *testing.T) {
	dir := testbed.SocketDir(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	live := testbed.Echo(t, "unix", filepath.Join(dir, "live")).String()
	stale := filepath.Join(dir, "stale")
	s, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	s.SetUnlinkOnClose(false)
	file := filepath.Join(dir, "file")
	if err := errors.Join(s.Close(), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	ours := fmt.Sprintf("address already in use (held by sockets.test, pid %d)", os.Getpid())
	tcp := func(host string) tunnelfile.Address { return tunnelfile.Address{Host: host, Bind: true, Port: port} }
	unix := func(path string) tunnelfile.Address { return tunnelfile.Address{Unix: path} }
	for _, c := range []struct {
		listen tunnelfile.Address
		unlink bool
		want   string // the error behind the forward's name; empty: none
	}{
		{tcp("127.0.0.1"), true, ours},
		{tcp(""), true, ours},
		{tcp("127.0.0.2"), true, ""},
		{tcp("240.0.0.1"), true, "cannot assign requested address"},
		{unix(live), true, ours},
		{unix(stale), true, ""},
		{unix(stale), false, "address already in use"},
		{unix(file), true, "a file that is not a socket is in the way"},
		{unix(filepath.Join(dir, "new")), true, ""},
		{unix(filepath.Join(file, "x")), true, "not a directory"},
		{unix(filepath.Join(dir, "folders", "not yet there", "new")), true, ""},
	} {
		f := tunnelfile.Forward{Kind: tunnelfile.LocalForward, Listen: c.listen}
		err := Free(t.Context(), f, false, c.unlink)
		want := fmt.Sprintf("LocalForward %s: %s", c.listen, c.want)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.listen, err)
		case c.want != "" && (err == nil || err.Error() != want):
			t.Errorf("%v, want %s", err, want)
		case c.want != "" && fault.ReasonOf(err) != fault.Listen:
			t.Errorf("%v: reason %q", err, fault.ReasonOf(err))
		}
		if c.want == ours && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%v is not EADDRINUSE", err)
		}
	}
}

// TestOwnerIsAnotherUser listens as root and asks as nobody, who may not look into root's
// processes, and the other way round.
func TestOwnerIsAnotherUser(t *testing.T) {
	if address, path := os.Getenv("SOCKETS_TEST_TCP"), os.Getenv("SOCKETS_TEST_UNIX"); address != "" {
		fmt.Printf("%v; %v\n", Address{"tcp4", address}.Owner(), Address{"unix", path}.Owner())
		return
	}
	if os.Getuid() != 0 {
		t.Skip("becomes another user, which only root can")
	}
	dir := testbed.SocketDir(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := testbed.Echo(t, "unix", filepath.Join(dir, "s")).String()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sockets.test") // go test's own folder is root's
	self, err := os.ReadFile("/proc/self/exe")
	if err := errors.Join(err, os.WriteFile(program, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^TestOwnerIsAnotherUser$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "SOCKETS_TEST_TCP="+l.Addr().String(), "SOCKETS_TEST_UNIX="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if want := "a process of user root; a process of user root\n"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%s", err, out)
	}
}

// A port that only root may have is said to be so, with what to do.
func TestPrivilegedPort(t *testing.T) {
	err := Explain(onPort(80), Address{"tcp4", "127.0.0.1:80"}, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)})
	if firstUnprivileged() <= 80 {
		t.Skip("everybody may listen on port 80 here")
	}
	want := fmt.Sprintf("LocalForward 127.0.0.1:80: permission denied: ports below %d are for root; "+
		"take a higher port or a unix socket, name it in a tunnel file of the system (--system), or set net.ipv4.ip_unprivileged_port_start=80", firstUnprivileged())
	if !err.Privileged() || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if err := Explain(onPort(8080), Address{"tcp4", "127.0.0.1:8080"}, syscall.EACCES); err.Privileged() {
		t.Error(err)
	}
}
