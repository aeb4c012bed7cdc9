package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// table is a running manager over fakeUnits.
type table struct {
	*testing.T
	m        *Manager
	units    *fakeUnits
	dir      string
	networks chan netwatch.Network
	stop     func()
	ran      chan error
}

func newTable(t *testing.T) *table {
	b := &table{T: t, units: newFakeUnits(), dir: filepath.Join(t.TempDir(), "config"),
		networks: make(chan netwatch.Network, 1)}
	b.networks <- netwatch.Network{State: netwatch.Online}
	b.start()
	return b
}

func (b *table) start() { b.startOn(testHost) }

// startOn starts a manager on a machine that is so.
func (b *table) startOn(host Host) {
	if host.Locate == nil {
		host.Locate = func(context.Context, tunnelfile.Tunnel) Server { return Server{} }
		host.Way = func(context.Context, Server, netwatch.State) Way { return WayOut }
	}
	b.m = New(Config{Units: b.units, Networks: b.networks,
		Dirs: tunnelfile.Dirs{b.dir}, RuntimeDir: filepath.Join(filepath.Dir(b.dir), "run"), Host: host, Version: "1",
		Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	b.ran = make(chan error, 1)
	ran := make(chan struct{})
	go func() {
		b.ran <- b.m.Run(ctx)
		close(ran)
	}()
	b.stop = func() { stop(); <-ran }
	b.Cleanup(b.stop)
}

const remote = "[Tunnel]\nDestination=me@server\nRemoteForward=1:localhost:1\n"

func (b *table) add(name, text string) {
	b.Helper()
	if err := b.m.AddTunnel(b.Context(), name, text); err != nil {
		b.Fatal(err)
	}
}

func (b *table) awaitState(name string, s tunnelfile.State) listing.Tunnel {
	b.Helper()
	var t listing.Tunnel
	testbed.WaitFor(b, 10*time.Second, func() error {
		var err error
		if t, err = b.m.Tunnel(b.Context(), name); err == nil && t.State != s {
			err = fmt.Errorf("%s is %s: %s; want %s", name, t.State, t.Status, s)
		}
		return err
	})
	return t
}

func TestVerbs(t *testing.T) {
	b := newTable(t)
	ctx := t.Context()
	for _, name := range []string{"web", "db-1", "db-2"} {
		b.add(name, remote)
		b.awaitState(name, tunnelfile.Up)
	}
	b.units.took()
	states := func() string {
		list, err := b.m.Tunnels(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, tunnel := range list {
			s = append(s, tunnel.Name+" "+string(tunnel.State))
		}
		return strings.Join(s, ", ")
	}
	for _, c := range []struct {
		verb     func(context.Context, []string) error
		patterns []string
		err      error
		want     string
	}{
		{b.m.Stop, []string{"db-*"}, nil, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Start, []string{"db-2", "db-[2-9]"}, nil, "db-1 inactive, db-2 up, web up"},
		{b.m.Stop, nil, nil, "db-1 inactive, db-2 inactive, web inactive"},
		{b.m.Restart, []string{"web"}, nil, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Start, []string{"web", "nosuch"}, listing.ErrNoSuchTunnel, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Start, []string{"db-1", "x*"}, listing.ErrNoSuchTunnel, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Start, []string{"["}, listing.ErrInvalidName, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Reconnect, []string{"db-1"}, listing.ErrRefused, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Reconnect, []string{"*"}, nil, "db-1 inactive, db-2 inactive, web up"},
		{b.m.Start, nil, nil, "db-1 up, db-2 up, web up"},
	} {
		err := c.verb(ctx, c.patterns)
		if !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.patterns, err, c.err)
		}
		if c.err == listing.ErrNoSuchTunnel && !strings.Contains(err.Error(), c.patterns[1]) {
			t.Errorf("%v does not name %s", err, c.patterns[1])
		}
		testbed.WaitFor(t, 20*time.Second, func() error {
			if got := states(); got != c.want {
				return fmt.Errorf("after %v: %s, want %s", c.patterns, got, c.want)
			}
			return nil
		})
	}
	if n := b.units.count("signal 35 holdfast-tunnel@web.service"); n != 1 {
		t.Errorf("web was asked %d times to reconnect", n)
	}
}

// A tunnel that waits is tried at once when a person asks for it, and one that waits
// for a person when there is one.
// TestUnderWay wants a call that runs out of time to say so, and its work to go on.
func TestUnderWay(t *testing.T) {
	b := newTable(t)
	b.units.stall = make(chan struct{})
	b.add("web", remote+"Start=manual\n")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.m.Start(ctx, []string{"web"}); !errors.Is(err, listing.ErrUnderWay) {
		t.Errorf("a call that had 100 ms: %v", err)
	}
	close(b.units.stall)
	b.awaitState("web", tunnelfile.Up)
}

func TestWakes(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	start := func(ctx context.Context) error { return b.m.Start(ctx, []string{"web"}) }
	for n, c := range []struct {
		status string
		verb   func(context.Context) error
	}{
		{"retrying: in 40s, connection refused", start},
		{"blocked: the server refused every key", start},
		{"blocked: needs a passphrase for ~/.ssh/id_ed25519", b.m.Attended},
	} {
		b.units.set("holdfast-tunnel@web.service", func(u *systemdctl.Unit) { u.StatusText = c.status })
		state := tunnelfile.ParseStatus(c.status).State
		b.awaitState("web", state)
		if err := c.verb(t.Context()); err != nil {
			t.Fatal(err)
		}
		testbed.WaitFor(t, 20*time.Second, func() error {
			if got := b.units.count("signal 35 holdfast-tunnel@web.service"); got != n+1 {
				return fmt.Errorf("%s: asked %d times to connect, want %d", c.status, got, n+1)
			}
			return nil
		})
	}
	// A retry that nobody need answer keeps its time.
	b.units.set("holdfast-tunnel@web.service", func(u *systemdctl.Unit) { u.StatusText = "retrying: in 40s, connection refused" })
	b.awaitState("web", tunnelfile.Retrying)
	if err := b.m.Attended(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.add("another", remote)
	b.awaitState("another", tunnelfile.Up)
	if got := b.units.count("signal 35 holdfast-tunnel@web.service"); got != 3 {
		t.Errorf("a retrying tunnel was woken by an agent: %d", got)
	}
}

func TestEdits(t *testing.T) {
	b := newTable(t)
	ctx := t.Context()
	b.add("web", remote)
	var problems tunnelfile.Problems
	for _, c := range []struct {
		what string
		err  error
		want error // nil: Problems
	}{
		{"a name", b.m.AddTunnel(ctx, "a/b", remote), listing.ErrInvalidName},
		{"twice", b.m.AddTunnel(ctx, "web", remote), listing.ErrTunnelExists},
		{"nonsense", b.m.AddTunnel(ctx, "x", "[Tunnel]\nFrob=1\n"), nil},
		{"a setting that systemd does not have", b.m.AddTunnel(ctx, "x", remote+"[Service]\nFrob=1\n"), nil},
		{"nonsense instead", b.m.UpdateTunnel(ctx, "web", "x"), nil},
		{"an update of nothing", b.m.UpdateTunnel(ctx, "x", remote), listing.ErrNoSuchTunnel},
		{"a removal of nothing", b.m.RemoveTunnel(ctx, "x"), listing.ErrNoSuchTunnel},
	} {
		if c.want != nil && !errors.Is(c.err, c.want) || c.want == nil && !errors.As(c.err, &problems) {
			t.Errorf("%s: %v", c.what, c.err)
		}
	}
	if ps, err := b.m.CheckTunnel(ctx, "x", remote+"[Service]\nMemoryMax=lots\n"); err != nil || len(ps) != 1 || ps[0].Line != 5 || ps[0].Key != "MemoryMax" {
		t.Errorf("%v, %v", ps, err)
	}
	if ps, err := b.m.CheckTunnel(ctx, "x", remote); err != nil || ps != nil {
		t.Errorf("%v, %v", ps, err)
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "*")); len(files) != 1 {
		t.Errorf("files are %v", files)
	}

	if err := b.m.UpdateTunnel(ctx, "web", remote+"Description=new\n"); err != nil {
		t.Fatal(err)
	}
	if tunnel, err := b.m.Tunnel(ctx, "web"); err != nil || tunnel.Description != "new" || !strings.Contains(tunnel.Text, "=new") {
		t.Errorf("%+v, %v", tunnel, err)
	}
	if err := os.MkdirAll(filepath.Join(b.dir, "web.tunnel.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.m.RemoveTunnel(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if _, err := b.m.Tunnel(ctx, "web"); !errors.Is(err, listing.ErrNoSuchTunnel) {
			return fmt.Errorf("still there: %v", err)
		}
		return nil
	})
	if files, _ := filepath.Glob(filepath.Join(b.dir, "*")); len(files) > 0 {
		t.Errorf("left: %v", files)
	}

	// A disk that does not take it.
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.m.AddTunnel(ctx, "web", remote); !errors.Is(err, listing.ErrNotStored) {
		t.Errorf("%v", err)
	}
}

// TestDropInsUnreadable shows that a tunnel runs on while its folder of drop-ins cannot be read.
func TestDropInsUnreadable(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	if err := os.WriteFile(filepath.Join(b.dir, "web.tunnel.d"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if global, err := b.m.Global(t.Context()); err != nil || len(global.Problems) != 1 {
		t.Errorf("problems %v, %v", global.Problems, err)
	}
	if tunnel, err := b.m.Tunnel(t.Context(), "web"); err != nil || tunnel.State != tunnelfile.Up {
		t.Errorf("%s, %v", tunnel.State, err)
	}
}

// TestSystemdRefuses shows each failing call said once, not repeated, and tried again when asked.
func TestSystemdRefuses(t *testing.T) {
	b := newTable(t)
	refusal := errors.New("access denied")
	b.units.failWith("make", refusal)
	b.add("web", remote)
	if tunnel := b.awaitState("web", tunnelfile.Failed); tunnel.Status != refusal.Error() {
		t.Errorf("status %q", tunnel.Status)
	}
	b.units.hints <- "holdfast-tunnel@web.service"
	b.units.hints <- ""
	if err := b.m.Reload(t.Context()); err != nil { // allows a retry
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Failed)
	if n := b.units.count("make holdfast-tunnel@web.service"); n != 2 {
		t.Errorf("tried %d times, want 2", n)
	}
	b.units.failWith("make", nil)
	if err := b.m.Start(t.Context(), []string{"web"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Up)

	b.units.failWith("stop", refusal)
	b.units.took()
	if err := b.m.Stop(t.Context(), []string{"web"}); err != nil {
		t.Fatal(err)
	}
	b.units.hints <- "holdfast-tunnel@web.service"
	b.awaitState("web", tunnelfile.Up)
	b.units.failWith("stop", nil)
	if err := b.m.Stop(t.Context(), []string{"web"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Inactive)
}

// TestKept shows units that systemd will not forget: they are used as they are, once.
func TestKept(t *testing.T) {
	b := newTable(t)
	b.units.failWith("make", systemdctl.ErrUnitExists)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	calls := b.units.took()
	if n := len(calls); n == 0 || calls[n-1] != "start holdfast-tunnel@web.service" {
		t.Errorf("calls: %q", calls)
	}
	b.units.hints <- "holdfast-tunnel@web.service"
	b.awaitState("web", tunnelfile.Up)
	if calls := b.units.took(); len(calls) > 0 {
		t.Errorf("and then: %q", calls)
	}
}

// TestTriggerLimit shows a socket unit that gave up being made anew by itself.
func TestTriggerLimit(t *testing.T) {
	b := newTable(t)
	dir := testbed.SocketDir(t)
	b.add("web", "[Tunnel]\nDestination=me@server\nStart=on-demand\nLocalForward="+filepath.Join(dir, "s")+" localhost:1\n")
	b.awaitState("web", tunnelfile.Listening)
	b.units.set("holdfast-tunnel@web.socket", func(u *systemdctl.Unit) {
		u.ActiveState, u.SubState, u.Result = "failed", "failed", "trigger-limit-hit"
	})
	if tunnel := b.awaitState("web", tunnelfile.Failed); !strings.Contains(tunnel.Status, "too many connections") {
		t.Errorf("status %q", tunnel.Status)
	}
	b.units.took()
	// The clock is the manager's own; the test only turns it forward.
	_, err := ask(t.Context(), b.m, func() struct{} {
		r := b.m.rows["web"]
		if wait := time.Until(r.retry.at); wait < time.Second || wait > firstDelay {
			t.Errorf("waits %v", wait)
		}
		r.retry.at = time.Now()
		b.m.retryDue()
		return struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Listening)
	if calls := b.units.took(); !slices.Contains(calls, "make holdfast-tunnel@web.socket") {
		t.Errorf("calls: %q", calls)
	}
}

// TestRetryTimer shows delays that grow to a limit, and one clock for all rows.
func TestRetryTimer(t *testing.T) {
	b := newTable(t)
	_, err := ask(t.Context(), b.m, func() struct{} {
		r := &row{name: "x"}
		b.m.rows["x"] = r
		var got []time.Duration
		for range 6 {
			b.m.scheduleRetry(r)
			got = append(got, r.retry.delay)
		}
		want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}
		if !slices.Equal(got, want) {
			t.Errorf("delays %v, want %v", got, want)
		}
		r.retry.last = time.Now().Add(-resetAfter - time.Second)
		b.m.scheduleRetry(r)
		if r.retry.delay != firstDelay {
			t.Errorf("after a long time: %v", r.retry.delay)
		}
		delete(b.m.rows, "x")
		b.m.armClock()
		if b.m.clock.Stop() {
			t.Error("the clock runs for nobody")
		}
		return struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSleep shows that all are told before the machine sleeps, and after it woke.
func TestSleep(t *testing.T) {
	b := newTable(t)
	for i := range 20 {
		b.add(fmt.Sprint("t", i), remote)
	}
	for i := range 20 {
		b.awaitState(fmt.Sprint("t", i), tunnelfile.Up)
	}
	for _, c := range []struct {
		going  bool
		signal string
	}{{true, "signal 12"}, {false, "signal 10"}} {
		b.units.took()
		told := make(chan int, 1)
		_, err := ask(t.Context(), b.m, func() struct{} {
			b.m.onSleep(c.going, func() {
				n := 0
				for i := range 20 {
					n += b.units.count(fmt.Sprintf("%s holdfast-tunnel@t%d.service", c.signal, i))
				}
				told <- n
			})
			return struct{}{}
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-told:
			if n != 20 {
				t.Errorf("going %v: let go when %d of 20 were told", c.going, n)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("going %v: never let go", c.going)
		}
	}
}

// TestEnds shows how Run ends, and what callers get then.
func TestEnds(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	b.units.took()
	close(b.units.done)
	if err := <-b.ran; err == nil {
		t.Error("systemd is gone and Run says nothing")
	}
	if _, err := b.m.Tunnels(t.Context()); err == nil {
		t.Error("answers after its end")
	}
	if calls := b.units.took(); len(calls) > 0 {
		t.Errorf("did %q at its end", calls)
	}

	b.units.done = make(chan struct{})
	b.networks <- netwatch.Network{State: netwatch.Online}
	b.start()
	b.awaitState("web", tunnelfile.Up)
	if calls := b.units.took(); len(calls) > 0 {
		t.Errorf("did %q to what runs", calls)
	}
	b.stop()
	if err := <-b.ran; err != nil {
		t.Errorf("asked to end: %v", err)
	}

	// A caller that gives up is not waited for.
	stuck := New(Config{Units: b.units})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stuck.Tunnels(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
