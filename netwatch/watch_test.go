package netwatch

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// recorder collects what a Watcher tells.
type recorder struct {
	t       testing.TB
	mu      sync.Mutex
	told    []Network
	changed chan struct{} // closed at the next one
}

// record watches until the test ends. Sleeps are released at once.
func record(t testing.TB, c Config) *recorder {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := Watch(ctx, c)
	r := &recorder{t: t, changed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-w.Networks():
				r.mu.Lock()
				r.told = append(r.told, n)
				close(r.changed)
				r.changed = make(chan struct{})
				r.mu.Unlock()
			case s := <-w.Sleeps():
				s.Release()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return r
}

// testWriter makes the log the test's own, as long as that runs.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s %s", time.Now().Format("05.000"), line)
	}
	return len(line), nil
}

// all is what was told so far.
func (r *recorder) all() []Network {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Network(nil), r.told...)
}

// await waits until the latest snapshot is as wanted.
func (r *recorder) await(patience time.Duration, what string, wanted func(Network) bool) Network {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		changed := r.changed
		if n := len(r.told); n > 0 && wanted(r.told[n-1]) {
			latest := r.told[n-1]
			r.mu.Unlock()
			return latest
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			r.t.Fatalf("not %s within %v; told: %+v", what, patience, r.all())
		}
	}
}

func is(s State) func(Network) bool {
	return func(n Network) bool { return n.State == s }
}
