//go:build testbed

package systemdctl

import (
	"context"
	"os"
	"testing"
	"time"
)

// connect gives a connection to the box's real user manager.
func connect(t *testing.T) (context.Context, *Conn) {
	t.Helper()
	if os.Getenv("HOLDFAST_BOX") == "" {
		t.Fatal("runs in a box only (testbed/box)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	c, err := Connect(ctx, User)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return ctx, c
}

// start makes units and removes them at the end of the test.
func start(ctx context.Context, t *testing.T, c *Conn, unit Transient, aux ...Transient) {
	t.Helper()
	if err := c.StartTransient(ctx, unit, aux...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, c, append([]Transient{unit}, aux...)...) })
}

// clean stops units in the order given, a socket before its service, resets them, and
// waits until they are forgotten.
func clean(t *testing.T, c *Conn, units ...Transient) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	hints := c.Watch(ctx, func(string) bool { return true })
	for _, u := range units {
		_ = c.Stop(ctx, u.Name)
	}
	for range hints {
		gone := true
		for _, u := range units {
			if got, err := c.Unit(ctx, u.Name); err == nil && !got.Job {
				_ = c.ResetFailed(ctx, u.Name)
				gone = false
			} else if err == nil {
				gone = false
			}
		}
		if gone {
			return
		}
	}
	t.Errorf("%s: still there", units[0].Name)
}

// await reads a unit at each hint until it is as wanted.
func await(ctx context.Context, t *testing.T, c *Conn, name, what string, wanted func(Unit, error) bool) Unit {
	t.Helper()
	var u Unit
	var err error
	for range c.Watch(ctx, func(unit string) bool { return unit == name }) {
		if u, err = c.Unit(ctx, name); wanted(u, err) {
			return u
		}
	}
	t.Fatalf("%s: not %s, but %+v, %v", name, what, u, err)
	return u
}

// shell is a service that runs a shell command.
func shell(name, command string, more ...Property) Transient {
	s := Service{ExecStart: []string{"/bin/sh", "-c", command}, Type: "exec"}
	return Transient{name, append(s.Properties(), more...)}
}
