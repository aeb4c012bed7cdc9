package keeper

import (
	"context"
	"errors"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// TestLinkThatAnswersNothing: a server that lets everybody in and then never answers gets
// logins at the ordinary delays, and the tunnel is never up.
func TestLinkThatAnswersNothing(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *Config) {
		c.Use = func(ctx context.Context, l Link) error { <-ctx.Done(); return ctx.Err() }
		state := c.State
		c.State = func(s Status) {
			if s.State == tunnelfile.Up || s.Complete {
				t.Errorf("says %s", s.State)
			}
			state(s)
		}
	})
	for range 5 {
		l := newFakeLink()
		l.setMute(true)
		h.dials <- l
	}
	h.until("a second login", func() bool { return h.dialed == 2 })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		failures := make(chan int, 1)
		h.k.post(func() { failures <- h.k.failures })
		if <-failures == 2 {
			break // the delays grow
		}
		if time.Now().After(end) {
			t.Fatal("a link that answers nothing does not count as a failure")
		}
	}
}

// TestPatienceCountsFromTheConnect: a look-up that takes longer than a connect may do does not
// use its time up.
func TestPatienceCountsFromTheConnect(t *testing.T) {
	t.Parallel()
	const patience = 10 * time.Millisecond
	k := New(Config{Turn: noTurns, Dial: func(ctx context.Context) (Link, error) {
		lookup := time.NewTimer(5 * patience)
		<-lookup.C
		httptrace.ContextClientTrace(ctx).ConnectStart("tcp", "192.0.2.1:22")
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Second):
			return nil, errors.New("the connect was never given up")
		}
	}})
	_, release, f, err := k.dial(t.Context(), new(trace), k.server, patience)
	release()
	if !f.Unreached || !errors.As(err, new(unreachedError)) {
		t.Errorf("%+v, %v", f, err)
	}
}
