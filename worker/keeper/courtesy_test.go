package keeper

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const someServer = "[2001:db8::1]:22"

func TestAtMostThreeHandshakes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "servers")
	s := serverAt(dir, someServer)
	var leave []func()
	for range handshakes {
		l, err := s.acquireSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := serverAt(dir, someServer).acquireSlot(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a fourth handshake: %v", err)
	}
	if other, err := serverAt(dir, "other:22").acquireSlot(t.Context()); err != nil {
		t.Fatal(err)
	} else {
		other()
	}
	entered := make(chan struct{})
	go func() {
		if l, err := s.acquireSlot(t.Context()); err == nil {
			l()
			close(entered)
		}
	}()
	leave[1]()
	leave[1]()
	select {
	case <-entered:
	case <-time.After(5 * time.Second):
		t.Error("a slot that was given back is not taken")
	}
}

func TestPenaltyIsShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := Policy{RetryMax: time.Minute}
	now := time.Now()
	if wait := time.Until(serverAt(dir, someServer).penalty()); wait > 0 {
		t.Fatalf("a penalty of %v before anything happened", wait)
	}
	serverAt(dir, someServer).turnedAway(p, now)
	first := serverAt(dir, someServer).penalty()
	if d := first.Sub(now); d < 1600*time.Millisecond || d > 2400*time.Millisecond {
		t.Errorf("first penalty %v, want 2 s", d)
	}
	serverAt(dir, someServer).turnedAway(p, now.Add(time.Second)) // by another tunnel, at the same time
	if !serverAt(dir, someServer).penalty().Equal(first) {
		t.Error("one event was punished twice")
	}
	again := first.Add(time.Second)
	serverAt(dir, someServer).turnedAway(p, again)
	if d := serverAt(dir, someServer).penalty().Sub(again); d < 4800*time.Millisecond || d > 7200*time.Millisecond {
		t.Errorf("second penalty %v, want 6 s", d)
	}
	back := serverAt(dir, someServer).establishedElsewhere(t.Context())
	serverAt(dir, someServer).established()
	select {
	case <-back:
	case <-time.After(5 * time.Second):
		t.Error("nobody is told that the server is back")
	}
	if time.Until(serverAt(dir, someServer).penalty()) > 0 {
		t.Error("the penalty outlives a connection that stood")
	}
}

func TestCourtesyNeverStopsATunnel(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	garbled := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbled, "%5B2001:db8::1%5D:22.server"), []byte("until tomorrow"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", "/proc/no/such/folder", filepath.Join(file, "below"), garbled} {
		s := serverAt(dir, someServer)
		for range handshakes + 1 {
			leave, err := s.acquireSlot(t.Context())
			if err != nil {
				t.Fatalf("%q: %v", dir, err)
			}
			if dir == garbled {
				leave()
			}
		}
		s.established()
		s.establishedElsewhere(t.Context())
		if time.Until(s.penalty()) > 0 {
			t.Errorf("%q: a penalty", dir)
		}
		s.turnedAway(Policy{RetryMax: time.Minute}, time.Now())
	}
}
