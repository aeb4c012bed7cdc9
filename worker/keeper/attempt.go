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

// attempt is one dial under way. Its fields belong to the goroutine of Run, but for
// what trace holds.
type attempt struct {
	cancel  context.CancelFunc
	machine []netip.Addr // this machine's addresses when it began
	trace   *trace
}

// unreached says that a connect is under way that nobody has answered.
func (a *attempt) unreached() bool {
	return a.trace.connecting.Load() && !a.trace.connected.Load()
}

// trace tells how far a dial has come, by the hooks that package net offers: this
// package does not know how a link is dialled, but net.Dialer does the work below.
type trace struct {
	connecting atomic.Bool   // a TCP connect was begun
	connected  atomic.Bool   // one was answered
	begun      chan struct{} // closed when one was begun
	reached    chan struct{} // closed when one was answered
	begin      sync.Once
	reach      sync.Once
}

func newTrace() *trace {
	return &trace{begun: make(chan struct{}), reached: make(chan struct{})}
}

func (t *trace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(network, addr string) {
			t.connecting.Store(true)
			t.begin.Do(func() { close(t.begun) })
		},
		ConnectDone: func(network, addr string, err error) {
			if err == nil {
				t.connected.Store(true)
				t.reach.Do(func() { close(t.reached) })
			}
		},
	})
}

// slotTime is how long an attempt that has not reached the server keeps its slot
// among the handshakes, and slotMax how long any does: somebody may be typing.
const (
	slotTime = 2 * time.Second
	slotMax  = 20 * time.Second
)

// dial makes one attempt and returns the link, or what the attempt failed of. patience
// is how long a connect may stay without any answer; 0 leaves that to Dial. release
// gives back the handshake's slot; the caller does so when the link has answered.
func (k *Keeper) dial(ctx context.Context, t *trace, server *Server, patience time.Duration) (link Link, release func(), f Failure, err error) {
	if k.c.Turn != nil {
		done, err := k.c.Turn(ctx)
		if err != nil {
			return nil, func() {}, Failure{}, err
		}
		defer done()
		context.AfterFunc(ctx, done) // one that was abandoned keeps nobody waiting, however long it takes to end
	}
	release, err = server.Enter(ctx)
	if err != nil {
		return nil, func() {}, Failure{}, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	started := time.Now()
	dialCtx, cancel := context.WithCancelCause(t.context(ctx))
	defer cancel(nil)
	watched := make(chan struct{})
	defer close(watched)
	go func() {
		slot := time.AfterFunc(slotMax, release)
		select {
		case <-watched:
			slot.Stop()
			return
		case <-t.begun: // a name that takes long to look up takes nothing from the connect's time
		}
		unreached := time.NewTimer(slotTime)
		defer unreached.Stop()
		var impatient <-chan time.Time
		if patience > 0 {
			timer := time.NewTimer(patience)
			defer timer.Stop()
			impatient = timer.C
		}
		for {
			select {
			case <-watched:
				slot.Stop() // one that was established keeps its slot until the first answer
				return
			case <-t.reached:
				return // from here on the time is Dial's own affair; the slot's limit remains
			case <-unreached.C:
				release()
			case <-impatient:
				cancel(unreachedError{patience})
				return
			}
		}
	}()
	link, err = k.c.Dial(dialCtx)
	if err == nil {
		return link, release, Failure{}, nil
	}
	if ctx.Err() == nil && context.Cause(dialCtx) != nil {
		err = context.Cause(dialCtx)
	}
	return nil, release, failure(err, t.connecting.Load(), t.connected.Load(), time.Since(started)), err
}

// unreachedError ends an attempt that nobody answered.
type unreachedError struct{ patience time.Duration }

func (e unreachedError) Error() string {
	return fmt.Sprintf("no answer to a connect within %s", e.patience.Round(time.Millisecond))
}
