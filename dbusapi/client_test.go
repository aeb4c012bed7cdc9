package dbusapi_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// until reads snapshots until one is as wanted.
func until(t *testing.T, snapshots <-chan dbusapi.Snapshot, what string, wanted func(dbusapi.Snapshot) bool) dbusapi.Snapshot {
	t.Helper()
	deadline := time.After(10 * time.Second)
	var last dbusapi.Snapshot
	for {
		select {
		case s, ok := <-snapshots:
			if !ok {
				t.Fatalf("waiting for %s: the watch ended", what)
			}
			if last = s; wanted(s) {
				return s
			}
		case <-deadline:
			t.Fatalf("waiting for %s: last was %+v", what, last)
		}
	}
}

func inState(name string, state tunnelfile.State) func(dbusapi.Snapshot) bool {
	return func(s dbusapi.Snapshot) bool {
		t, ok := s.Tunnel(name)
		return ok && t.State == state
	}
}

func TestWatch(t *testing.T) {
	backend, c := served(t)
	ctx, stop := context.WithCancel(t.Context())
	if err := backend.AddTunnel(ctx, "old", text("server")); err != nil {
		t.Fatal(err)
	}
	snapshots, err := c.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first := until(t, snapshots, "the first", func(dbusapi.Snapshot) bool { return true })
	if !first.Running || first.Global.Network != "online" || len(first.Tunnels) != 1 {
		t.Errorf("at first: %+v", first)
	}
	if err := backend.AddTunnel(ctx, "a", text("refused")); err != nil {
		t.Fatal(err)
	}
	until(t, snapshots, "a to be there", inState("a", tunnelfile.Inactive))
	if err := c.Start(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	until(t, snapshots, "a to retry", inState("a", tunnelfile.Retrying))
	backend.SetGlobal(listing.Global{Network: "offline"})
	until(t, snapshots, "the network to go", func(s dbusapi.Snapshot) bool { return s.Global.Network == "offline" })
	if err := backend.RemoveTunnel(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	until(t, snapshots, "a to go", func(s dbusapi.Snapshot) bool { _, ok := s.Tunnel("a"); return !ok && len(s.Tunnels) == 1 })
	stop()
	for range snapshots { // closed in the end
	}
}

// TestWatchSurvives: a daemon that goes away and comes back.
func TestWatchSurvives(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	backend := apitest.NewBackend()
	c := apitest.Dial(t)
	snapshots, err := c.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := until(t, snapshots, "the first", func(dbusapi.Snapshot) bool { return true })
	if s.Running || !errors.Is(s.Err, dbusapi.ErrNotInstalled) {
		t.Errorf("without a daemon: %+v", s)
	}
	for _, name := range []string{"one", "two"} {
		if err := backend.AddTunnel(t.Context(), name, text("server")); err != nil {
			t.Fatal(err)
		}
		stop := apitest.Serve(t, backend)
		until(t, snapshots, name, func(s dbusapi.Snapshot) bool { _, ok := s.Tunnel(name); return s.Running && ok })
		stop()
		s := until(t, snapshots, "the daemon to go", func(s dbusapi.Snapshot) bool { return !s.Running })
		if len(s.Tunnels) != 0 || !errors.Is(s.Err, dbusapi.ErrStopped) {
			t.Errorf("without a daemon: %+v", s)
		}
	}
}

// TestWatchAgrees: whatever happened in between, in the end the watch says what a fresh look says.
func TestWatchAgrees(t *testing.T) {
	backend, c := served(t)
	snapshots, err := c.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		for _, name := range []string{"a", "b", "c"} {
			_ = backend.RemoveTunnel(t.Context(), name)
			if err := backend.AddTunnel(t.Context(), name, text("server")); err != nil {
				t.Fatal(err)
			}
			if err := backend.Start(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		backend.SetGlobal(listing.Global{Version: string(rune('a' + round))})
		want, err := c.Tunnels(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := until(t, snapshots, "the last change", func(s dbusapi.Snapshot) bool { return s.Global.Version == string(rune('a'+round)) })
		if !reflect.DeepEqual(got.Tunnels, want) {
			t.Fatalf("round %d: watched\n%+v, asked\n%+v", round, got.Tunnels, want)
		}
	}
}

func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	_, err := dbusapi.Dial(t.Context(), false)
	if !errors.Is(err, dbusapi.ErrNoBus) || !strings.Contains(err.Error(), "DBUS_SESSION_BUS_ADDRESS") {
		t.Errorf("without a bus: %v", err)
	}
}

// dying is a Backend whose daemon dies when it is first asked.
type dying struct {
	*apitest.Backend
	die func()
}

func (d dying) Tunnels(ctx context.Context) ([]listing.Tunnel, error) {
	d.die()
	return nil, ctx.Err()
}

// TestGone: a daemon that dies before it answers is asked again, as the next one.
func TestGone(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	first, next := apitest.Open(t), apitest.Connect(t)
	go dbusapi.Serve(t.Context(), first, false, dying{apitest.NewBackend(), func() { first.Close() }})
	c := apitest.Dial(t)
	testbed.WaitFor(t, 20*time.Second, func() error { _, err := c.Global(t.Context()); return err })
	asked := make(chan struct{}, 1)
	answer := func() (map[dbus.ObjectPath]map[string]map[string]dbus.Variant, *dbus.Error) {
		asked <- struct{}{}
		return nil, nil
	}
	const objectManager = "org.freedesktop.DBus.ObjectManager"
	if err := next.ExportMethodTable(map[string]any{"GetManagedObjects": answer}, dbusapi.EntryPath, objectManager); err != nil {
		t.Fatal(err)
	}
	// It waits for the name, so that the bus hands it over at once.
	if reply, err := next.RequestName(dbusapi.BusName, 0); err != nil || reply != dbus.RequestNameReplyInQueue {
		t.Fatal(reply, err)
	}
	if _, err := c.Tunnels(t.Context()); err != nil || len(asked) != 1 {
		t.Errorf("asked of a dying daemon: %v; the next one was asked %d times", err, len(asked))
	}
}
