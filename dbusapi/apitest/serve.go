package apitest

import (
	"context"
	"io"
	"sync"
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
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		conn.Close()
	})
	t.Cleanup(stop)
	return stop
}

// Open connects to the session bus, as our programs do, until the test ends.
func Open(t testing.TB) *bus.Conn {
	t.Helper()
	conn, err := dbusapi.Connect(t.Context(), false)
	return untilEnd(t, conn, err)
}

// Connect connects to the session bus as any other program may, until the test ends.
func Connect(t testing.TB) *dbus.Conn {
	t.Helper()
	conn, err := dbus.ConnectSessionBus(dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()))
	return untilEnd(t, conn, err)
}

// Dial connects a client until the test ends.
func Dial(t testing.TB) *dbusapi.Client {
	t.Helper()
	c, err := dbusapi.Dial(t.Context(), false)
	return untilEnd(t, c, err)
}

// untilEnd closes a connection when the test ends.
func untilEnd[T io.Closer](t testing.TB, conn T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
