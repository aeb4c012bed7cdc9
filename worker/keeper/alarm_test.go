package keeper

import (
	"testing"
	"time"
)

func TestAlarm(t *testing.T) {
	t.Parallel()
	for _, a := range []*alarm{newAlarm(), newGoAlarm()} {
		rings := func(what string, want bool) {
			t.Helper()
			select {
			case <-a.C:
				if !want {
					t.Errorf("%s: it rang", what)
				}
			case <-time.After(map[bool]time.Duration{true: 10 * time.Second, false: 400 * time.Millisecond}[want]):
				if want {
					t.Errorf("%s: it did not ring", what)
				}
			}
		}
		rings("new", false)
		a.reset(-time.Second)
		rings("due already", true)
		a.reset(300 * time.Millisecond)
		a.reset(time.Hour)
		rings("moved", false)
		a.reset(time.Millisecond)
		rings("set", true)
		a.reset(300 * time.Millisecond)
		a.stop()
		rings("stopped", false)
		a.close()
	}
}

func TestTogether(t *testing.T) {
	const step = 5 * time.Second
	start := time.Now()
	first := alignToBoot(start, step)
	for _, later := range []time.Duration{0, time.Millisecond, step, 7 * step / 2, 100 * step} {
		at := start.Add(later)
		got := alignToBoot(at, step)
		if moved := at.Sub(got); moved < -time.Second || moved > step+time.Second {
			t.Errorf("moved by %v", moved)
		}
		apart := got.Sub(first) % step
		if apart = min(apart, step-apart); apart > time.Second {
			t.Errorf("%v from the others", apart)
		}
	}
	if alignToBoot(start, 0) != start {
		t.Error("moved without a step")
	}
}
