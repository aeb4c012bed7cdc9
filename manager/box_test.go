//go:build testbed

package manager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/manager/design"
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
		Host: Host{Host: design.Host{Program: program},
			// The servers are on this machine; the test plays that they are not.
			Locate: func(context.Context, tunnelfile.Tunnel) Server { return Server{} },
			Way:    func(context.Context, Server, netwatch.State) Way { return WayOut }},
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
		// systemd 252 sometimes keeps one that has ended in its memory, whatever it is told.
		units = slices.DeleteFunc(units, func(u systemdctl.Unit) bool { return u.ActiveState == "inactive" })
		if err == nil && len(units) > 0 {
			err = fmt.Errorf("%d units are left, such as %+v", len(units), units[0])
		}
		return err
	})
	testbed.WaitFor(b, 20*time.Second, func() error {
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

func (b *bench) await(name string, what string, ok func(listing.Tunnel) bool) listing.Tunnel {
	b.Helper()
	var last listing.Tunnel
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

func (b *bench) awaitState(name string, s tunnelfile.State) listing.Tunnel {
	b.Helper()
	return b.await(name, string(s), func(t listing.Tunnel) bool { return t.State == s })
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
	if err := testbed.EchoAt(address, 1<<16, 10*time.Second); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) port() string { b.Helper(); return strconv.Itoa(testbed.FreePort(b)) }

func (b *bench) echo() string { return testbed.Echo(b, "tcp", "127.0.0.1:0").String() }
