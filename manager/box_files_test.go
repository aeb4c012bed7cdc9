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
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestBrokenFiles shows that files that cannot be read stop nothing, and are told of.
func TestBrokenFiles(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	for i := range 10 {
		b.write(b.dir, fmt.Sprintf("bad%d.tunnel", i), strings.Repeat("# line\n", i)+"[Tunnel]\nDestinatoin=x\n")
	}
	for i := range 3 {
		b.write(b.dir, fmt.Sprintf("good%d.tunnel", i), text(s, "LocalForward="+b.port()+" "+b.echo()))
	}
	for i := range 3 {
		b.awaitState(fmt.Sprintf("good%d", i), tunnelfile.Up)
	}
	all, err := b.m.Tunnels(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("%d tunnels, %v; want the 3 good ones", len(all), err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		g, err := b.m.Global(t.Context())
		lines := make(map[string]int)
		for _, p := range g.Problems {
			if p.Key == "Destinatoin" {
				lines[filepath.Base(p.Path)] = p.Line
			}
		}
		for i := range 10 {
			if name := fmt.Sprintf("bad%d.tunnel", i); lines[name] != i+2 {
				err = fmt.Errorf("%s: line %d, want %d", name, lines[name], i+2)
			}
		}
		return err
	})
	var problems tunnelfile.Problems
	if err := b.m.Start(t.Context(), []string{"bad3"}); !errors.As(err, &problems) {
		t.Errorf("starting a broken one: %v", err)
	}
	if err := b.m.AddTunnel(t.Context(), "bad3", text(s)); !errors.Is(err, listing.ErrTunnelExists) {
		t.Errorf("adding over a broken one: %v", err)
	}
	if err := b.m.UpdateTunnel(t.Context(), "bad3", text(s, "DynamicForward="+b.port())); err != nil {
		t.Errorf("mending a broken one: %v", err)
	}
	b.awaitState("bad3", tunnelfile.Up)
}

// TestFileChanges shows what each change of a file does to what runs.
func TestFileChanges(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	first, second, echo := b.port(), b.port(), b.echo()
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+first+" "+echo))
	b.awaitState("change", tunnelfile.Up)
	b.write(b.etc, "change.tunnel", text(s, "LocalForward="+first+" "+echo)) // overridden
	pid := b.service("change").MainPID
	conn, err := net.Dial("tcp", "127.0.0.1:"+first)
	if err != nil {
		t.Fatal(err)
	}

	// A forward more: applied by the same process; open channels stay.
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+first+" "+echo, "LocalForward="+second+" "+echo))
	b.await("change", "with two forwards", func(t listing.Tunnel) bool { return len(t.Forwards) == 2 && t.State == tunnelfile.Up })
	b.echoes("127.0.0.1:" + second)
	testbed.CheckEcho(t, conn, 1<<16, 10*time.Second)
	if now := b.service("change").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}

	// A forward less: nobody is served there any more. The socket unit holds the port
	// until it is made anew; the worker refuses what comes.
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+second+" "+echo))
	b.await("change", "with one forward", func(t listing.Tunnel) bool { return len(t.Forwards) == 1 && t.State == tunnelfile.Up })
	testbed.WaitFor(t, 10*time.Second, func() error {
		if err := testbed.EchoAt("127.0.0.1:"+first, 1, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("the dropped port is not refused: %v", err)
		}
		return nil
	})
	b.echoes("127.0.0.1:" + second)
	if now := b.service("change").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+first+" "+echo, "LocalForward="+second+" "+echo))
	b.await("change", "with two forwards again", func(t listing.Tunnel) bool { return len(t.Forwards) == 2 && t.State == tunnelfile.Up })
	b.echoes("127.0.0.1:" + first)

	// A broken file changes nothing.
	b.write(b.dir, "change.tunnel", "[Tunnel]\nFrob=1\n")
	testbed.WaitFor(t, 20*time.Second, func() error {
		g, err := b.m.Global(t.Context())
		if len(g.Problems) == 0 {
			err = errors.New("no problem is told")
		}
		return err
	})
	b.echoes("127.0.0.1:" + second)
	if now := b.service("change").MainPID; now != pid {
		t.Errorf("worker %d became %d with a broken file", pid, now)
	}

	// A setting of the unit, in a drop-in, needs another unit.
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+first+" "+echo, "LocalForward="+second+" "+echo))
	b.write(filepath.Join(b.dir, "change.tunnel.d"), "memory.conf", "[Service]\nMemoryMax=100M\n")
	testbed.WaitFor(t, 20*time.Second, func() error {
		limit, err := testbed.Output("systemctl", "--user", "show", "-P", "MemoryMax", tunnelfile.ServiceName("change"))
		if err == nil && strings.TrimSpace(limit) != strconv.Itoa(100<<20) {
			err = fmt.Errorf("MemoryMax is %s", limit)
		}
		return err
	})
	b.awaitState("change", tunnelfile.Up)
	b.echoes("127.0.0.1:" + second)
	if now := b.service("change").MainPID; now == pid {
		t.Error("the worker is the same")
	}

	// Without the person's file the administrator's counts again, which may not be removed.
	if err := b.m.RemoveTunnel(t.Context(), "change"); err != nil {
		t.Fatal(err)
	}
	b.await("change", "the administrator's, up", func(t listing.Tunnel) bool {
		return filepath.Dir(t.FilePath) == b.etc && t.State == tunnelfile.Up && len(t.Forwards) == 1
	})
	if err := b.m.RemoveTunnel(t.Context(), "change"); !errors.Is(err, listing.ErrRefused) || !strings.Contains(err.Error(), b.etc) {
		t.Errorf("removing the administrator's: %v", err)
	}
	b.echoes("127.0.0.1:" + first)
	if err := os.Remove(filepath.Join(b.etc, "change.tunnel")); err != nil {
		t.Fatal(err)
	}
	b.awaitGone("change")
	testbed.WaitFor(t, 20*time.Second, func() error {
		if _, err := b.m.Tunnel(t.Context(), "change"); !errors.Is(err, listing.ErrNoSuchTunnel) {
			return fmt.Errorf("still there: %v", err)
		}
		return nil
	})
}

// TestPortInUse shows who has the port, and that the tunnel comes up when it is free.
func TestPortInUse(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	b.add("taken", text(s, "LocalForward="+port+" "+b.echo()))
	tunnel := b.awaitState("taken", tunnelfile.Failed)
	want := fmt.Sprintf("LocalForward %s: address already in use (held by manager.test, pid %d)", port, os.Getpid())
	if tunnel.Status != want {
		t.Errorf("status %q, want %q", tunnel.Status, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b.awaitState("taken", tunnelfile.Up) // unasked

	b.add("taken2", text(s, "DynamicForward="+port))
	tunnel = b.awaitState("taken2", tunnelfile.Failed)
	if want := "DynamicForward " + port + ": address already in use (held by the tunnel taken)"; tunnel.Status != want {
		t.Errorf("status %q, want %q", tunnel.Status, want)
	}
	if err := b.m.Stop(t.Context(), []string{"taken"}); err != nil {
		t.Fatal(err)
	}
	b.awaitGone("taken")
	if err := b.m.Start(t.Context(), []string{"taken2"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("taken2", tunnelfile.Up)
}

// TestUnixInTheWay shows that nothing that is not a stale socket is ever taken away.
func TestUnixInTheWay(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	live, stale, file := filepath.Join(dir, "live"), filepath.Join(dir, "stale"), filepath.Join(dir, "file")
	testbed.Echo(t, "unix", live)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(l.Close(), os.WriteFile(file, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	echo := b.echo()
	for name, path := range map[string]string{"live": live, "stale": stale, "file": file} {
		b.add(name, text(s, "LocalForward="+path+" "+echo))
	}
	b.awaitState("stale", tunnelfile.Up)
	if t1 := b.awaitState("live", tunnelfile.Failed); !strings.Contains(t1.Status, "address already in use (held by manager.test, pid ") {
		t.Errorf("a live socket: %q", t1.Status)
	}
	if t1 := b.awaitState("file", tunnelfile.Failed); !strings.HasSuffix(t1.Status, "not a socket is in the way") {
		t.Errorf("a file: %q", t1.Status)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q, %v", text, err)
	}
	info, err := os.Stat(stale)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v, %v", info.Mode(), err)
	}
}
