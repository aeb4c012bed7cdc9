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
	c := Courtesy{Dir: filepath.Join(t.TempDir(), "servers")}
	s := c.At(someServer)
	var leave []func()
	for range handshakes {
		l, err := s.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.At(someServer).Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a fourth handshake: %v", err)
	}
	if other, err := c.At("other:22").Enter(t.Context()); err != nil {
		t.Fatal(err)
	} else {
		other()
	}
	entered := make(chan struct{})
	go func() {
		if l, err := s.Enter(t.Context()); err == nil {
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
	c := Courtesy{Dir: t.TempDir()}
	p := Policy{RetryMax: time.Minute}
	now := time.Now()
	if wait := time.Until(c.At(someServer).Penalty()); wait > 0 {
		t.Fatalf("a penalty of %v before anything happened", wait)
	}
	c.At(someServer).TurnedAway(p, now)
	first := c.At(someServer).Penalty()
	if d := first.Sub(now); d < 1600*time.Millisecond || d > 2400*time.Millisecond {
		t.Errorf("first penalty %v, want 2 s", d)
	}
	c.At(someServer).TurnedAway(p, now.Add(time.Second)) // by another tunnel, at the same time
	if !c.At(someServer).Penalty().Equal(first) {
		t.Error("one event was punished twice")
	}
	again := first.Add(time.Second)
	c.At(someServer).TurnedAway(p, again)
	if d := c.At(someServer).Penalty().Sub(again); d < 4800*time.Millisecond || d > 7200*time.Millisecond {
		t.Errorf("second penalty %v, want 6 s", d)
	}
	back := c.At(someServer).EstablishedElsewhere(t.Context())
	c.At(someServer).Established()
	select {
	case <-back:
	case <-time.After(5 * time.Second):
		t.Error("nobody is told that the server is back")
	}
	if time.Until(c.At(someServer).Penalty()) > 0 {
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
		s := Courtesy{Dir: dir}.At(someServer)
		for range handshakes + 1 {
			leave, err := s.Enter(t.Context())
			if err != nil {
				t.Fatalf("%q: %v", dir, err)
			}
			if dir == garbled {
				leave()
			}
		}
		s.Established()
		s.EstablishedElsewhere(t.Context())
		if time.Until(s.Penalty()) > 0 {
			t.Errorf("%q: a penalty", dir)
		}
		s.TurnedAway(Policy{RetryMax: time.Minute}, time.Now())
	}
}
