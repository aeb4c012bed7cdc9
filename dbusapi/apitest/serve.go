package apitest

import (
	"context"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/bus"
)

// Serve serves a Backend on the session bus until stop is called or the test ends. It
// returns when the name is taken.
func Serve(t testing.TB, backend dbusapi.Backend) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn := Open(t)
	done := make(chan error, 1)
	go func() { done <- dbusapi.Serve(ctx, conn, false, backend) }()
	deadline := time.After(10 * time.Second)
	for {
		var there bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, dbusapi.BusName).Store(&there)
		if err != nil {
			t.Fatal(err)
		}
		if there {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("Serve: %v", err)
		case <-deadline:
			t.Fatal("Serve did not take the name")
		case <-time.After(time.Millisecond):
		}
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		conn.Close()
	}
	t.Cleanup(stop)
	return stop
}

// Open connects to the session bus, as our programs do, until the test ends.
func Open(t testing.TB) *bus.Conn {
	t.Helper()
	conn, err := dbusapi.Connect(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Connect connects to the session bus as any other program may, until the test ends.
func Connect(t testing.TB) *dbus.Conn {
	t.Helper()
	conn, err := dbus.ConnectSessionBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Dial connects a client until the test ends.
func Dial(t testing.TB) *dbusapi.Client {
	t.Helper()
	c, err := dbusapi.Dial(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
