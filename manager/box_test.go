//go:build testbed

package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// bench is a manager with a folder of its own for tunnel files, the box's real user
// manager, and workers that are the real program.
type bench struct {
	*testing.T
	m        *Manager
	dir, etc string
	units    *systemdctl.Conn
	networks chan netwatch.Network
	end      func()
}

var online = netwatch.Network{State: netwatch.Online, Source: netwatch.SourceNetworkManager}

func newBench(t *testing.T) *bench {
	if os.Getenv("HOLDFAST_BOX") == "" {
		t.Skip("runs in a box only (testbed/run-tests)")
	}
	dir := t.TempDir()
	b := &bench{T: t, dir: filepath.Join(dir, "my 100%h $HOME"), etc: filepath.Join(dir, "etc")}
	t.Cleanup(b.clear)
	b.start()
	return b
}

// start starts a manager, as a restarted daemon would.
func (b *bench) start() {
	b.Helper()
	program, err := filepath.Abs("../bin/holdfast-tunnel")
	if err != nil {
		b.Fatal(err)
	}
	if b.units, err = systemdctl.Connect(b.Context(), systemdctl.User); err != nil {
		b.Fatal(err)
	}
	b.networks = make(chan netwatch.Network, 1)
	b.networks <- online
	b.m = New(Config{
		Units: b.units, Networks: b.networks,
		Dirs: tunnelfile.Dirs{b.dir, b.etc}, RuntimeDir: tunnelfile.RuntimeDir(os.Getenv),
		Host: Host{Program: program, IPv6: hasIPv6(), Lookup: lookup,
			// The servers are on this machine; the test plays that they are not.
			Locate: func(context.Context, tunnelfile.Tunnel) netip.Addr { return netip.Addr{} }},
		Log: slog.New(slog.NewTextHandler(logTo{b.T}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.m.Run(ctx) }()
	b.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			b.Error(err)
		}
		_ = b.units.Close()
	})
}

type logTo struct{ t *testing.T }

func (l logTo) Write(p []byte) (int, error) { l.t.Logf("%s", p); return len(p), nil }

// clear removes the test's tunnels, and fails the test when a unit or a file is left.
func (b *bench) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer b.end()
	if b.Failed() {
		journal, _ := testbed.Output("journalctl", "--user", "--no-pager", "-n", "40", "-o", "cat", "-u", "holdfast-tunnel@*")
		b.Logf("journal:\n%s", journal)
	}
	if err := errors.Join(os.RemoveAll(b.dir), os.RemoveAll(b.etc), b.m.Reload(ctx)); err != nil {
		b.Error(err)
	}
	testbed.WaitFor(b, 40*time.Second, func() error {
		units, err := b.units.List(ctx, tunnelfile.UnitPattern)
		if err == nil && len(units) > 0 {
			err = fmt.Errorf("%d units are left, such as %+v", len(units), units[0])
		}
		return err
	})
	testbed.WaitFor(b, 5*time.Second, func() error {
		left, _ := filepath.Glob(filepath.Join(b.m.RuntimeDir, "*.sock"))
		down, _ := filepath.Glob(filepath.Join(b.m.RuntimeDir, "down", "*"))
		if left = append(left, down...); len(left) > 0 {
			return fmt.Errorf("left behind: %v", left)
		}
		return nil
	})
}

// text is a tunnel file that leads to s.
func text(s *testbed.Server, lines ...string) string {
	return "[Tunnel]\nDestination=" + s.Destination() + "\n" + strings.Join(lines, "\n") +
		"\n[SSH]\n" + strings.Join(s.SSHSettings(), "\n") + "\n"
}

func (b *bench) add(name, text string) {
	b.Helper()
	if err := b.m.AddTunnel(b.Context(), name, text); err != nil {
		b.Fatal(err)
	}
}

// write writes a tunnel file as an editor does: beside it, and then in its place.
func (b *bench) write(dir, name, text string) {
	b.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := errors.Join(os.WriteFile(path+"~", []byte(text), 0o644), os.Rename(path+"~", path)); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) await(name string, what string, ok func(Tunnel) bool) Tunnel {
	b.Helper()
	var last Tunnel
	testbed.WaitFor(b, 20*time.Second, func() error {
		t, err := b.m.Tunnel(b.Context(), name)
		last = t
		if err == nil && !ok(t) {
			err = fmt.Errorf("%s is %s: %s; not %s", name, t.State, t.Status, what)
		}
		return err
	})
	return last
}

func (b *bench) awaitState(name string, s tunnelfile.State) Tunnel {
	b.Helper()
	return b.await(name, string(s), func(t Tunnel) bool { return t.State == s })
}

func (b *bench) service(name string) systemdctl.Unit {
	b.Helper()
	u, err := b.units.Unit(b.Context(), tunnelfile.ServiceName(name))
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// gone says whether neither of a tunnel's units is there any more.
func (b *bench) awaitGone(name string) {
	b.Helper()
	testbed.WaitFor(b, 20*time.Second, func() error {
		units, err := b.units.List(b.Context(), "holdfast-tunnel@"+name+".*")
		if err == nil && len(units) > 0 {
			err = fmt.Errorf("%s is %s", units[0].Name, units[0].ActiveState)
		}
		return err
	})
}

// echoes sends a little through a local port and wants it back.
func (b *bench) echoes(address string) {
	b.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	testbed.CheckEcho(b, conn, 1<<16, 10*time.Second)
}

func (b *bench) port() string { b.Helper(); return strconv.Itoa(testbed.FreePort(b)) }

func (b *bench) echo() string { return testbed.Echo(b, "tcp", "127.0.0.1:0").String() }

// TestAdopt shows that tunnels do without a manager, and that the next one finds them.
func TestAdopt(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port, echo := b.port(), b.echo()
	b.add("adopt", text(s, "LocalForward="+port+" "+echo))
	b.add("adopt-manual", text(s, "RemoteForward="+b.port()+" "+echo, "Start=manual"))
	b.add("adopt-off", text(s, "RemoteForward="+b.port()+" "+echo))
	if err := b.m.Start(t.Context(), []string{"adopt-m*"}); err != nil {
		t.Fatal(err)
	}
	before := b.awaitState("adopt", tunnelfile.Up)
	b.awaitState("adopt-manual", tunnelfile.Up)
	if err := b.m.Stop(t.Context(), []string{"adopt-off"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("adopt-off", tunnelfile.Inactive)
	pid := b.service("adopt").MainPID
	logins := s.Logins()

	b.end()
	b.echoes("127.0.0.1:" + port)
	b.start()
	after := b.awaitState("adopt", tunnelfile.Up)
	b.awaitState("adopt-manual", tunnelfile.Up)
	b.awaitState("adopt-off", tunnelfile.Inactive)
	b.echoes("127.0.0.1:" + port)
	if !after.UpSince.Equal(before.UpSince) {
		t.Errorf("up since %v, was %v", after.UpSince, before.UpSince)
	}
	if now := b.service("adopt").MainPID; now != pid || s.Logins() != logins {
		t.Errorf("worker %d became %d, %d logins %d", pid, now, logins, s.Logins())
	}

	if err := b.m.Stop(t.Context(), []string{"adopt-manual"}); err != nil {
		t.Fatal(err)
	}
	if err := b.m.Start(t.Context(), []string{"adopt-off"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("adopt-manual", tunnelfile.Inactive)
	b.awaitState("adopt-off", tunnelfile.Up)
	b.end()
	b.start()
	b.awaitState("adopt-manual", tunnelfile.Inactive)
	b.awaitState("adopt-off", tunnelfile.Up)
}

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
	testbed.WaitFor(t, 5*time.Second, func() error {
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
	if err := b.m.AddTunnel(t.Context(), "bad3", text(s)); !errors.Is(err, ErrTunnelExists) {
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
	b.await("change", "with two forwards", func(t Tunnel) bool { return len(t.Forwards) == 2 && t.State == tunnelfile.Up })
	b.echoes("127.0.0.1:" + second)
	testbed.CheckEcho(t, conn, 1<<16, 10*time.Second)
	if now := b.service("change").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}

	// A forward less: nobody is served there any more. The socket unit holds the port
	// until it is made anew; the worker refuses what comes.
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+second+" "+echo))
	b.await("change", "with one forward", func(t Tunnel) bool { return len(t.Forwards) == 1 && t.State == tunnelfile.Up })
	testbed.WaitFor(t, 5*time.Second, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+first)
		if err != nil {
			return nil
		}
		if testbed.EchoThrough(conn, 1, time.Second) == nil {
			return errors.New("the dropped port is served")
		}
		return nil
	})
	b.echoes("127.0.0.1:" + second)
	if now := b.service("change").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}
	b.write(b.dir, "change.tunnel", text(s, "LocalForward="+first+" "+echo, "LocalForward="+second+" "+echo))
	b.await("change", "with two forwards again", func(t Tunnel) bool { return len(t.Forwards) == 2 && t.State == tunnelfile.Up })
	b.echoes("127.0.0.1:" + first)

	// A broken file changes nothing.
	b.write(b.dir, "change.tunnel", "[Tunnel]\nFrob=1\n")
	testbed.WaitFor(t, 5*time.Second, func() error {
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
	b.await("change", "the administrator's, up", func(t Tunnel) bool {
		return filepath.Dir(t.FilePath) == b.etc && t.State == tunnelfile.Up && len(t.Forwards) == 1
	})
	if err := b.m.RemoveTunnel(t.Context(), "change"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), b.etc) {
		t.Errorf("removing the administrator's: %v", err)
	}
	b.echoes("127.0.0.1:" + first)
	if err := os.Remove(filepath.Join(b.etc, "change.tunnel")); err != nil {
		t.Fatal(err)
	}
	b.awaitGone("change")
	testbed.WaitFor(t, 5*time.Second, func() error {
		if _, err := b.m.Tunnel(t.Context(), "change"); !errors.Is(err, ErrNoSuchTunnel) {
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
	want := fmt.Sprintf("LocalForward %s: address already in use (by manager.test, pid %d)", port, os.Getpid())
	if tunnel.Status != want {
		t.Errorf("status %q, want %q", tunnel.Status, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b.awaitState("taken", tunnelfile.Up) // unasked

	b.add("taken2", text(s, "DynamicForward="+port))
	tunnel = b.awaitState("taken2", tunnelfile.Failed)
	if want := "DynamicForward " + port + ": address already in use (by the tunnel taken)"; tunnel.Status != want {
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
	if t1 := b.awaitState("live", tunnelfile.Failed); !strings.HasSuffix(t1.Status, "address already in use") {
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

// TestNetworkComesAndGoes shows holding, starting and forbidding.
func TestNetworkComesAndGoes(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port, echo := b.port(), b.echo()
	b.add("net", text(s, "LocalForward="+port+" "+echo))
	b.add("home", text(s, "RemoteForward="+b.port()+" "+echo, "OnlyOn=Home"))
	b.awaitState("net", tunnelfile.Up)
	if tunnel := b.awaitState("home", tunnelfile.Offline); !strings.Contains(tunnel.Status, "OnlyOn=Home") {
		t.Errorf("status %q", tunnel.Status)
	}
	pid := b.service("net").MainPID

	// A healthy connection outlives the news that the network is gone.
	b.networks <- netwatch.Network{State: netwatch.Offline, Source: netwatch.SourceNetworkManager}
	b.add("late", text(s, "LocalForward="+b.port()+" "+echo))
	if tunnel := b.awaitState("late", tunnelfile.Offline); tunnel.Status != "no network" {
		t.Errorf("status %q", tunnel.Status)
	}
	b.echoes("127.0.0.1:" + port)
	if u := b.service("late"); u.ActiveState != "inactive" {
		t.Errorf("started without a network: %s", u.ActiveState)
	}

	// One that is lost meanwhile is not tried again until the network is back.
	attempts := s.Attempts()
	s.KillSessions(syscall.SIGKILL)
	if tunnel := b.awaitState("net", tunnelfile.Offline); tunnel.Status != "no network" {
		t.Errorf("status %q", tunnel.Status)
	}
	if s.Attempts() != attempts {
		t.Errorf("%d attempts without a network", s.Attempts()-attempts)
	}
	wifi := netwatch.Connection{ID: "Home", Type: "802-11-wireless"}
	b.networks <- netwatch.Network{State: netwatch.Online, Source: netwatch.SourceNetworkManager, Primary: wifi, Active: []netwatch.Connection{wifi}}
	for _, name := range []string{"net", "late", "home"} {
		b.awaitState(name, tunnelfile.Up)
	}
	b.echoes("127.0.0.1:" + port)
	if now := b.service("net").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}

	hotel := netwatch.Connection{ID: "Hotel", Type: "802-11-wireless"}
	b.networks <- netwatch.Network{State: netwatch.Portal, Source: netwatch.SourceNetworkManager, Primary: hotel, Active: []netwatch.Connection{hotel}}
	b.awaitGone("home")
	if tunnel := b.awaitState("home", tunnelfile.Offline); !strings.Contains(tunnel.Status, "on 'Hotel' now") {
		t.Errorf("status %q", tunnel.Status)
	}
	g, err := b.m.Global(t.Context())
	if err != nil || g.Network != "portal" || g.NetworkSource != "NetworkManager" {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestOnDemandWithoutNetwork shows a connection that waits for the network, and is served.
func TestOnDemandWithoutNetwork(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port := b.port()
	b.networks <- netwatch.Network{State: netwatch.Offline, Source: netwatch.SourceNetworkManager}
	b.add("demand", text(s, "LocalForward="+port+" "+b.echo(), "Start=on-demand", "IdleTimeout=1s"))
	b.awaitState("demand", tunnelfile.Offline)
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		if u := b.service("demand"); u.MainPID == 0 || !strings.HasPrefix(u.StatusText, "offline") {
			return fmt.Errorf("%d %s", u.MainPID, u.StatusText)
		}
		return nil
	})
	b.networks <- online
	testbed.CheckEcho(t, conn, 1<<16, 20*time.Second)
	b.await("demand", "listening, without a process", func(t Tunnel) bool {
		return t.State == tunnelfile.Listening && b.service("demand").MainPID == 0
	})
	b.echoes("127.0.0.1:" + port)
}

// TestStoppedBySystemctl shows that a person who uses systemctl is not fought.
func TestStoppedBySystemctl(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	b.add("hand", text(s, "RemoteForward="+b.port()+" "+b.echo()))
	b.awaitState("hand", tunnelfile.Up)
	if _, err := testbed.Output("systemctl", "--user", "stop", tunnelfile.ServiceName("hand")); err != nil {
		t.Fatal(err)
	}
	b.awaitState("hand", tunnelfile.Inactive)
	b.networks <- netwatch.Network{State: netwatch.Unknown}
	b.awaitGone("hand")
	if err := b.m.Start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.awaitState("hand", tunnelfile.Up)
	if _, err := testbed.Output("systemctl", "--user", "restart", tunnelfile.ServiceName("hand")); err != nil {
		t.Fatal(err)
	}
	b.awaitState("hand", tunnelfile.Up)
}

// TestCrashLoop shows a worker that dies again and again giving up, and being started again.
func TestCrashLoop(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port := b.port()
	b.add("crash", text(s, "LocalForward="+port+" "+b.echo(), "[Service]", "RestartSec=10ms"))
	b.awaitState("crash", tunnelfile.Up)
	last := uint32(0)
	testbed.WaitFor(t, 30*time.Second, func() error {
		u := b.service("crash")
		if u.ActiveState == "failed" {
			return nil
		}
		if u.MainPID != 0 && u.MainPID != last {
			last = u.MainPID
			_ = syscall.Kill(int(u.MainPID), syscall.SIGKILL)
		}
		return fmt.Errorf("it is %s", u.ActiveState)
	})
	if tunnel := b.awaitState("crash", tunnelfile.Failed); !strings.HasPrefix(tunnel.Status, "gave up after 5 starts") {
		t.Errorf("status %q", tunnel.Status)
	}
	if err := b.m.Start(t.Context(), []string{"crash"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("crash", tunnelfile.Up)
	b.echoes("127.0.0.1:" + port)
}

// TestHundred shows that many tunnels come and go, and that nothing is left (see clear).
func TestHundred(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 200:30:300"}})
	const n = 100
	echo := b.echo()
	for i := range n {
		b.write(b.dir, fmt.Sprintf("h%03d.tunnel", i), text(s, "LocalForward="+filepath.Join(testbed.SocketDir(t), "s")+" "+echo))
	}
	begin := time.Now()
	all := func(want tunnelfile.State) {
		t.Helper()
		testbed.WaitFor(t, 90*time.Second, func() error {
			list, err := b.m.Tunnels(t.Context())
			if err != nil {
				return err
			}
			count := make(map[tunnelfile.State]int)
			for _, t := range list {
				count[t.State]++
			}
			if count[want] != n {
				return fmt.Errorf("%v", count)
			}
			return nil
		})
	}
	all(tunnelfile.Up)
	t.Logf("%d tunnels up in %v", n, time.Since(begin).Round(time.Millisecond))
	begin = time.Now()
	if err := b.m.Stop(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	all(tunnelfile.Inactive)
	t.Logf("%d tunnels down in %v", n, time.Since(begin).Round(time.Millisecond))
	units, err := b.units.List(t.Context(), tunnelfile.UnitPattern)
	if err != nil || len(units) > 0 {
		t.Errorf("%d units are left, %v", len(units), err)
	}
}

// TestReexec shows that a user manager that executes itself anew is outlived.
func TestReexec(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port := b.port()
	b.add("reexec", text(s, "LocalForward="+port+" "+b.echo()))
	b.awaitState("reexec", tunnelfile.Up)
	pid := b.service("reexec").MainPID
	for _, verb := range []string{"daemon-reload", "daemon-reexec"} {
		if _, err := testbed.Output("systemctl", "--user", verb); err != nil {
			t.Fatal(err)
		}
		b.echoes("127.0.0.1:" + port)
		name := "after-" + verb
		b.add(name, text(s, "LocalForward="+b.port()+" "+b.echo()))
		b.awaitState(name, tunnelfile.Up)
	}
	b.awaitState("reexec", tunnelfile.Up)
	if now := b.service("reexec").MainPID; now != pid {
		t.Errorf("worker %d became %d", pid, now)
	}
	if err := b.m.Stop(t.Context(), []string{"reexec"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("reexec", tunnelfile.Inactive)
}

// TestStatistics shows that the worker is asked when somebody asks.
func TestStatistics(t *testing.T) {
	b := newBench(t)
	s := testbed.StartServer(t, testbed.ServerOptions{})
	port := b.port()
	b.add("stat", text(s, "LocalForward="+port+" "+b.echo()))
	b.awaitState("stat", tunnelfile.Up)
	b.echoes("127.0.0.1:" + port)
	testbed.WaitFor(t, 5*time.Second, func() error {
		r, err := b.m.Statistics(t.Context(), "stat")
		if err == nil && (r.BytesSent != 1<<16 || r.BytesReceived != 1<<16 || r.ChannelsTotal != 1) {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	if err := b.m.Reconnect(t.Context(), []string{"stat"}); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 10*time.Second, func() error {
		r, err := b.m.Statistics(t.Context(), "stat")
		if err == nil && r.Reconnects == 0 {
			err = errors.New("no new connection")
		}
		return err
	})
	if err := b.m.Stop(t.Context(), []string{"stat"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("stat", tunnelfile.Inactive)
	if r, err := b.m.Statistics(t.Context(), "stat"); err != nil || r.State != tunnelfile.Inactive {
		t.Errorf("%+v, %v", r, err)
	}
	if err := b.m.Reconnect(t.Context(), []string{"stat"}); !errors.Is(err, ErrRefused) {
		t.Errorf("reconnecting what does not run: %v", err)
	}
	if err := b.m.Reconnect(t.Context(), nil); err != nil {
		t.Errorf("reconnecting all: %v", err)
	}
}
