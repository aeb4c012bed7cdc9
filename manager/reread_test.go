package manager

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// newTableOn is newTable on a machine that is so, with units whose calls fail so at first.
func newTableOn(t *testing.T, host Host, units *fakeUnits) *table {
	b := &table{T: t, units: units, dir: filepath.Join(t.TempDir(), "config"), networks: make(chan netwatch.Network, 1)}
	b.networks <- netwatch.Network{State: netwatch.Online}
	b.startOn(host)
	return b
}

// TestReadingUnitsFailsAtFirst shows that the first reading of the units is made again.
func TestReadingUnitsFailsAtFirst(t *testing.T) {
	units := newFakeUnits()
	for _, verb := range []string{"list", "since"} {
		units.failWith(verb, errors.New("the bus is busy"))
	}
	b := newTableOn(t, testHost, units)
	testbed.WaitFor(t, 10*time.Second, func() error {
		if units.count("since ") == 0 || units.count("list "+tunnelfile.UnitPattern) == 0 {
			return errors.New("not asked yet")
		}
		return nil
	})
	for _, verb := range []string{"list", "since"} {
		units.failWith(verb, nil)
	}
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
}

// TestReadingOneTunnelFails shows that a tunnel whose units could not be read is read again,
// though nothing says once more that they changed.
func TestReadingOneTunnelFails(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	b.units.took()
	b.units.failWith("list", errors.New("the bus is busy"))
	b.units.set("holdfast-tunnel@web.service", func(u *systemdctl.Unit) { u.StatusText = "retrying [lost]: in 1s, closed" })
	testbed.WaitFor(t, 10*time.Second, func() error {
		if len(b.units.took()) == 0 {
			return errors.New("not read yet")
		}
		return nil
	})
	b.units.failWith("list", nil)
	b.awaitState("web", tunnelfile.Retrying)
}

// TestMadeOfWhatIsSoNow shows that units are made of what ssh_config(5) says, and the machine
// has, when they are made, not when their file was read.
func TestMadeOfWhatIsSoNow(t *testing.T) {
	dir := testbed.SocketDir(t)
	var now atomic.Value
	now.Store(filepath.Join(dir, "a"))
	host := testHost
	host.SSHConfig = func(_ context.Context, tunnel tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
		tunnel.Forwards = parse(t, "LocalForward="+now.Load().(string)+":localhost:1").Forwards
		return tunnel, nil
	}
	b := newTableOn(t, host, newFakeUnits())
	b.add("web", "[Tunnel]\nDestination=me@server\nStart=manual\n")
	b.awaitState("web", tunnelfile.Inactive)
	now.Store(filepath.Join(dir, "b"))
	if err := b.m.Start(t.Context(), []string{"web"}); err != nil {
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Up)
	listens, err := ask(t.Context(), b.m, func() string { return b.m.rows["web"].file.design.Listen[0].Addr })
	if want := filepath.Join(dir, "b"); err != nil || listens != want {
		t.Errorf("listens on %s, %v; want %s", listens, err, want)
	}
}

// TestConfigThatHangs shows that ssh_config(5) files that hang hang side by side, that all
// is abandoned with its job, and that a tunnel keeps what was known of it.
func TestConfigThatHangs(t *testing.T) {
	var asked, at, most atomic.Int32
	hangs := atomic.Bool{}
	host := testHost
	host.SSHConfig = func(ctx context.Context, tunnel tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
		asked.Add(1)
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer at.Add(-1)
		if hangs.Load() {
			<-ctx.Done()
			return tunnel, ctx.Err()
		}
		tunnel.Forwards = parse(t, "LocalForward=/run/"+tunnel.Name+":localhost:1").Forwards
		return tunnel, nil
	}
	var files []*file
	dirs := tunnelfile.Dirs{t.TempDir()}
	for i := range 2 * designers {
		if err := tunnelfile.Write(filepath.Join(dirs[0], fmt.Sprintf("t%d.tunnel", i)), "[Tunnel]\nDestination=me@server\n"); err != nil {
			t.Fatal(err)
		}
	}
	files, problems := readFiles(t.Context(), dirs, host.Host)
	if len(files) != 2*designers || len(problems) > 0 {
		t.Fatalf("%d files, %v", len(files), problems)
	}
	r := &row{name: "t0"}
	r.applyFile(files[0])
	listens := r.file.design.Listen

	hangs.Store(true)
	most.Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for most.Load() < 2 { // more than one is asked at a time
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	files, problems = readFiles(ctx, dirs, host.Host)
	if len(files) != 2*designers || len(problems) > 0 || at.Load() != 0 {
		t.Fatalf("%d files, %v, %d still asked", len(files), problems, at.Load())
	}
	r.applyFile(files[0])
	if !slices.Equal(r.file.design.Listen, listens) || len(listens) != 1 {
		t.Errorf("listens on %v, which was %v", r.file.design.Listen, listens)
	}
}

// TestFileGoesDuringAction shows that nothing depends on a file that went while something was
// done for it.
func TestFileGoesDuringAction(t *testing.T) {
	b := newTable(t)
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Up)
	_, err := ask(t.Context(), b.m, func() struct{} {
		for _, err := range []error{nil, errDesignRefused, errors.New("no")} {
			for v := MakeService; v <= Diagnose; v++ {
				r := &row{name: "gone"}
				b.m.performed(r, v, err)
				b.m.signalled(r, tunnelfile.SignalReload, lastSignal{pid: 1}, err)
			}
		}
		return struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	b.awaitState("web", tunnelfile.Up)
}

// TestServerIsLocatedAgain shows that a tunnel without a way to its server goes by what ssh_config
// says of the server later, though nothing says that it has changed.
func TestServerIsLocatedAgain(t *testing.T) {
	var mended atomic.Bool
	host := testHost
	host.Locate = func(context.Context, tunnelfile.Tunnel) Server {
		if mended.Load() {
			return Server{Host: "here"}
		}
		return Server{Host: "wrong"}
	}
	host.Way = func(_ context.Context, s Server, _ netwatch.State) Way {
		if s.Host == "here" {
			return WayHere
		}
		return WayOut
	}
	b := newTableOn(t, host, newFakeUnits())
	b.networks <- netwatch.Network{State: netwatch.Offline}
	b.add("web", remote)
	b.awaitState("web", tunnelfile.Offline)
	mended.Store(true)
	b.awaitState("web", tunnelfile.Up)
}
