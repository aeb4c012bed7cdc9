package keeper

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// attempt is one dial under way. The goroutine of Run owns its fields, but trace is shared.
type attempt struct {
	cancel  context.CancelFunc
	machine []netip.Addr // this machine's addresses when it began
	trace   trace
}

// trace records how far a dial has come.
type trace struct {
	connecting atomic.Bool // a TCP connect was begun
	connected  atomic.Bool // one was answered
	begin      sync.Once
}

// unreached says that a connect is under way, and nobody has answered it yet.
func (t *trace) unreached() bool { return t.connecting.Load() && !t.connected.Load() }

// context returns ctx with the hooks of package httptrace that record the dial. net.Dialer calls them.
// So this package need not know how a link is dialled. begun is called with the first connect, after
// the name lookup.
func (t *trace) context(ctx context.Context, begun func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(network, addr string) {
			t.connecting.Store(true)
			t.begin.Do(begun)
		},
		ConnectDone: func(network, addr string, err error) {
			if err == nil {
				t.connected.Store(true)
			}
		},
	})
}

// How long an attempt keeps its slot among the handshakes: slotTime if it has not reached the server,
// slotMax in any case, because a person may be typing a password.
const (
	slotTime = 2 * time.Second
	slotMax  = 20 * time.Second
)

// dial makes one attempt, in a goroutine of its own. It returns the link, or why the attempt failed.
// patience is how long a connect may stay unanswered; 0 leaves that to Dial. release gives the
// handshake's slot back. The caller calls it when the link has answered, or has ended.
func (k *Keeper) dial(ctx context.Context, t *trace, server server, patience time.Duration) (link Link, release func(), f Failure, err error) {
	done, err := k.c.Turn(ctx)
	if err != nil {
		return nil, func() {}, Failure{}, err
	}
	defer done()
	context.AfterFunc(ctx, done) // an abandoned attempt gives its turn back at once, even if it ends slowly
	leave, err := server.acquireSlot(ctx)
	if err != nil {
		return nil, func() {}, Failure{}, err
	}
	slot := time.AfterFunc(slotMax, leave)
	release = func() { slot.Stop(); leave() }
	started := time.Now()
	dialCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A timer that fires after the attempt has ended does nothing: leave and cancel count once.
	unlessConnected := func(wait time.Duration, f func()) {
		time.AfterFunc(wait, func() {
			if !t.connected.Load() {
				f()
			}
		})
	}
	link, err = k.c.Dial(t.context(dialCtx, func() {
		unlessConnected(slotTime, leave)
		if patience > 0 {
			unlessConnected(patience, func() { cancel(unreachedError{patience}) })
		}
	}))
	if err == nil {
		return link, release, Failure{}, nil
	}
	release()
	if ctx.Err() == nil && context.Cause(dialCtx) != nil {
		err = context.Cause(dialCtx)
	}
	return nil, release, failure(err, t.connecting.Load(), t.connected.Load(), time.Since(started)), err
}

// unreachedError is why an attempt was ended whose connect nobody answered.
type unreachedError struct{ patience time.Duration }

func (e unreachedError) Error() string {
	return fmt.Sprintf("no answer to a connect within %s", e.patience.Round(time.Millisecond))
}
