package manager

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

func TestTryListen(t *testing.T) {
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
	forward := tunnelfile.Forward{Kind: tunnelfile.LocalForward, Listen: tunnelfile.Address{Port: port}}
	for _, c := range []struct {
		network, address string
		unlink           bool
		want             string // in the error; empty: none
	}{
		{"tcp4", l.Addr().String(), true, fmt.Sprintf("LocalForward %d: address already in use (by manager.test, pid %d)", port, os.Getpid())},
		{"tcp", fmt.Sprintf(":%d", port), true, "address already in use (by manager.test"},
		{"tcp4", fmt.Sprintf("127.0.0.2:%d", port), true, ""},
		{"tcp4", "192.0.2.1:1", true, "cannot assign requested address"},
		{"unix", live, true, "address already in use"},
		{"unix", stale, true, ""},
		{"unix", stale, false, "address already in use"},
		{"unix", file, true, "not a socket is in the way"},
		{"unix", filepath.Join(dir, "new"), true, ""},
		{"unix", filepath.Join(file, "x"), true, "not a directory"},
		{"unix", filepath.Join(dir, "folders", "not yet there", "new"), true, ""},
	} {
		err := tryListen(t.Context(), []listener{{c.address, c.network, c.address, forward}}, c.unlink)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.address, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.address, err, c.want)
		}
	}
	if err := tryListen(t.Context(), []listener{{"", "tcp4", l.Addr().String(), forward}}, true); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v is not EADDRINUSE", err)
	}
}
