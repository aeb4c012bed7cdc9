//go:build testbed

package manager

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

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
	if tunnel := b.awaitState("late", tunnelfile.Offline); !strings.HasPrefix(tunnel.Status, "no network; ") {
		t.Errorf("status %q", tunnel.Status)
	}
	b.echoes("127.0.0.1:" + port)
	if u := b.service("late"); u.ActiveState != "inactive" {
		t.Errorf("started without a network: %s", u.ActiveState)
	}

	// One that is lost meanwhile is not tried again until the network is back.
	attempts := s.Attempts()
	s.KillSessions(syscall.SIGKILL)
	if tunnel := b.awaitState("net", tunnelfile.Offline); !strings.HasPrefix(tunnel.Status, "no network; ") {
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
	b.await("demand", "listening, without a process", func(t listing.Tunnel) bool {
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
	testbed.WaitFor(t, 20*time.Second, func() error {
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
	if err := b.m.Reconnect(t.Context(), []string{"stat"}); !errors.Is(err, listing.ErrRefused) {
		t.Errorf("reconnecting what does not run: %v", err)
	}
	if err := b.m.Reconnect(t.Context(), nil); err != nil {
		t.Errorf("reconnecting all: %v", err)
	}
}
