package bus

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/testbed"
)

// pair is a connection of ours and one of a stranger's, on a bus of the test's own.
func pair(t *testing.T) (ours *Conn, stranger *dbus.Conn) {
	t.Helper()
	address, _ := testbed.PrivateBus(t)
	ours, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, connect(t, address)
}

func connect(t *testing.T, address string) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

const (
	service = "org.example.Service"
	path    = dbus.ObjectPath("/org/example/Service")
	changed = service + ".Changed"
)

func next(t *testing.T, signals <-chan *dbus.Signal) *dbus.Signal {
	t.Helper()
	select {
	case s := <-signals:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("no signal")
		return nil
	}
}

func own(t *testing.T, conn *dbus.Conn) {
	t.Helper()
	if _, err := conn.RequestName(service, dbus.NameFlagAllowReplacement|dbus.NameFlagReplaceExisting|dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

// TestOwnerAlone holds that a signal counts from the owner of the name at that time, and from
// nobody else, whichever way it is sent.
func TestOwnerAlone(t *testing.T) {
	ours, first := pair(t)
	second := connect(t, ours.address)
	signals, stop, err := ours.Signals(t.Context(), Match{Sender: service, Path: path, Interface: service}, OwnerChanges(service))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	us := ours.UniqueName()
	owner := func(want string) {
		t.Helper()
		s := next(t, signals)
		if name, owner, ok := OwnerChange(s); !ok || name != service || owner != want {
			t.Fatalf("got %v %v, want owner %q", s.Name, s.Body, want)
		}
	}
	number := func(want int32) {
		t.Helper()
		if s := next(t, signals); s.Name != changed || len(s.Body) != 1 || s.Body[0] != want {
			t.Fatalf("got %v %v, want %d", s.Name, s.Body, want)
		}
	}
	testbed.Forge(t, first, "", changed, path, int32(1)) // owns nothing
	testbed.Forge(t, first, us, changed, path, int32(2))
	own(t, first)
	owner(first.Names()[0])
	testbed.Forge(t, second, "", changed, path, int32(3))
	testbed.Forge(t, second, us, changed, path, int32(4))
	for _, body := range append(testbed.ForgedOwnerChanges(service, first.Names()[0]), []any{service, "", second.Names()[0]}) {
		testbed.Forge(t, second, "", Name+".NameOwnerChanged", "/org/freedesktop/DBus", body...)
		testbed.Forge(t, second, us, Name+".NameOwnerChanged", "/org/freedesktop/DBus", body...)
	}
	testbed.Forge(t, first, us, changed, "/elsewhere", int32(5))
	testbed.Forge(t, first, us, changed, path, int32(6))
	number(6)
	own(t, second)
	owner(second.Names()[0])
	testbed.Forge(t, first, us, changed, path, int32(7)) // it was the owner
	second.ReleaseName(service)
	owner("")
	testbed.Forge(t, second, us, changed, path, int32(8))
	own(t, second)
	owner(second.Names()[0])
	testbed.Forge(t, second, "", changed, path, int32(9))
	number(9)
	// A listener that comes later believes the same one.
	later, stopLater, err := ours.Signals(t.Context(), Match{Sender: service, PathPrefix: "/org"})
	if err != nil {
		t.Fatal(err)
	}
	defer stopLater()
	testbed.Forge(t, first, us, changed, path, int32(10))
	testbed.Forge(t, second, us, changed, path, int32(11))
	if s := next(t, later); s.Body[0] != int32(11) {
		t.Errorf("got %v", s.Body)
	}
}

// TestOrderAndEnd holds that a slow reader misses nothing, and learns of the end.
func TestOrderAndEnd(t *testing.T) {
	ours, peer := pair(t)
	own(t, peer)
	signals, _, err := ours.Signals(t.Context(), Match{Sender: service})
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for i := range int32(n) {
		testbed.Forge(t, peer, "", changed, path, i)
	}
	for i := range int32(n) {
		if s := next(t, signals); s.Body[0] != i {
			t.Fatalf("got %v, want %d", s.Body, i)
		}
	}
	ours.Close()
	if _, open := <-signals; open {
		t.Error("a signal after the end")
	}
	if _, _, err := ours.Signals(t.Context(), Match{Sender: service}); err == nil {
		t.Error("listens on a connection that is closed")
	}
}

// TestSignalsMeanwhile has signals come while a listener is added, which waits for the bus.
func TestSignalsMeanwhile(t *testing.T) {
	ours, peer := pair(t)
	own(t, peer)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for ctx.Err() == nil {
			_ = peer.Emit(path, changed, "")
			_ = peer.BusObject().CallWithContext(ctx, Name+".GetId", 0).Err // no faster than the bus
		}
	}()
	for range 50 {
		signals, stop, err := ours.Signals(ctx, Match{Sender: service}, OwnerChanges(service))
		if err != nil {
			t.Fatal(err)
		}
		next(t, signals)
		stop()
	}
	cancel()
	<-sent
}

// TestSilentBus holds that connecting is bounded by its context.
func TestSilentBus(t *testing.T) {
	socket := filepath.Join(testbed.SocketDir(t), "bus")
	l, err := net.Listen("unix", socket) // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, "unix:path="+socket); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
}

// TestAddresses holds where a bus is looked for, and that none is started.
func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if address, err := Session(); err == nil {
		t.Errorf("found %s", address)
	}
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if address, err := Session(); err != nil || address != "unix:path="+filepath.Join(dir, "bus") {
		t.Errorf("got %s, %v", address, err)
	}
	for address, want := range map[string]string{
		"unix:path=/run/bus,guid=1": "/run/bus", "unix:abstract=x%20y": "@x y", "unix:guid=1,path=/a": "/a",
		"unix:tmpdir=/tmp": "", "unixexec:path=/bin/sh": "", "autolaunch:": "", "": "", "tcp:host=a,port=1": "",
	} {
		if got, err := socketOf(address); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", address, got, err)
		}
	}
}
