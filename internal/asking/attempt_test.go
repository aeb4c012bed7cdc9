package asking

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestAttempt wants the time a person takes not to count.
func TestAttempt(t *testing.T) {
	ctx, a, cancel := Start(t.Context(), 100*time.Millisecond, nil)
	defer cancel()
	a.Pause()
	select {
	case <-ctx.Done():
		t.Fatal("over while a person thinks")
	case <-time.After(300 * time.Millisecond):
	}
	a.Resume()
	select {
	case <-ctx.Done():
		if !errors.Is(context.Cause(ctx), ErrTimeout) {
			t.Error(context.Cause(ctx))
		}
	case <-time.After(5 * time.Second):
		t.Error("never over")
	}
	ctx, _, cancel = Start(t.Context(), 0, nil)
	cancel()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Error(context.Cause(ctx))
	}
}
