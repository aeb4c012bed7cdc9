package asking

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestAttempt wants the time a person takes not to count.
func TestAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, a, cancel := Start(t.Context(), 10*time.Second, nil)
		defer cancel()
		a.Pause()
		time.Sleep(time.Hour)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal("over while a person thinks")
		}
		a.Resume()
		start := time.Now()
		<-ctx.Done()
		if took := time.Since(start); took != 10*time.Second || !errors.Is(context.Cause(ctx), ErrTimeout) {
			t.Errorf("%v after %v", context.Cause(ctx), took)
		}
	})
	ctx, _, cancel := Start(t.Context(), 0, nil)
	cancel()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Error(context.Cause(ctx))
	}
}
