//go:build testbed

package manager

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// awaitReason waits until a tunnel is so for that reason.
func (b *bench) awaitReason(name string, s tunnelfile.State, why fault.Reason) listing.Tunnel {
	b.Helper()
	return b.await(name, fmt.Sprintf("%s [%s]", s, why), func(t listing.Tunnel) bool { return t.State == s && t.Reason == why })
}

// unit writes a unit of the user's, and removes it in the end.
func (b *bench) unit(name, text string) {
	b.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(home, ".config/systemd/user", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.Remove(path) })
}

// TestDependency shows a tunnel that requires a unit that is not there, and one that fails;
// both are up once the unit is well.
func TestDependency(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	flag := filepath.Join(t.TempDir(), "flag")
	b.unit("hf-fails.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/test -e "+flag+"\n")
	unit := func(name string) string {
		return text(s, "LocalForward="+b.port()+" "+b.echo(), "[Unit]", "Requires="+name, "After="+name)
	}
	b.add("missing", unit("hf-missing.service"))
	b.add("fails", unit("hf-fails.service"))
	for name, word := range map[string]string{"missing": "hf-missing.service", "fails": "hf-fails.service"} {
		if tunnel := b.awaitReason(name, tunnelfile.Failed, fault.Dependency); !strings.Contains(tunnel.Status, word) {
			t.Errorf("%s: %q does not name %s", name, tunnel.Status, word)
		}
	}
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.unit("hf-missing.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n")
	if err := b.m.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.awaitState("missing", tunnelfile.Up)
	b.awaitState("fails", tunnelfile.Up)
}

// TestOnePortOfTwo shows ExitOnForwardFailure=no: the port that can be had is served.
func TestOnePortOfTwo(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, taken, _ := net.SplitHostPort(l.Addr().String())
	port, echo := b.port(), b.echo()
	file := text(s, "LocalForward="+taken+" "+echo, "LocalForward="+port+" "+echo)
	b.add("two", file+"ExitOnForwardFailure=no\n")
	tunnel := b.awaitReason("two", tunnelfile.Degraded, fault.Listen)
	b.echoes("127.0.0.1:" + port)
	if want := fmt.Sprintf("LocalForward %s %s: address already in use (held by manager.test, pid %d)", taken, echo, os.Getpid()); tunnel.Status != want {
		t.Errorf("status %q, want %q", tunnel.Status, want)
	}
	// Reading the files again changes nothing, and neither does another daemon.
	if err := b.m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := b.service("two").MainPID
	b.end()
	b.start()
	b.awaitReason("two", tunnelfile.Degraded, fault.Listen)
	if now := b.service("two").MainPID; now != pid {
		t.Errorf("the worker %d became %d", pid, now)
	}
	l.Close()
	b.await("two", "up", func(t listing.Tunnel) bool { return t.State == tunnelfile.Up && t.Reason == fault.None })
	b.echoes("127.0.0.1:" + taken)
}

// TestManyPorts shows a tunnel with more listeners than systemd's usual limit of files allows.
func TestManyPorts(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	echo := b.echo()
	const ports = 600
	first := 40000
	for i := range ports {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(first+i)); err == nil {
			l.Close()
		} else {
			t.Skip(err)
		}
	}
	lines := make([]string, ports)
	for i := range lines {
		lines[i] = fmt.Sprintf("LocalForward=%d %s", first+i, echo)
	}
	b.add("many", text(s, lines...))
	b.awaitState("many", tunnelfile.Up)
	for _, i := range []int{0, ports / 2, ports - 1} {
		b.echoes("127.0.0.1:" + strconv.Itoa(first+i))
	}
	problems, err := b.m.CheckTunnel(t.Context(), "many", text(s, append(lines, "[Service]", "LimitNOFILE=512")...))
	if err != nil || len(problems) != 1 || problems[0].Key != "LimitNOFILE" {
		t.Errorf("%v, %v", problems, err)
	}
}
