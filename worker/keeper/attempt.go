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
	trace   *trace
}

// unreached says that a connect is under way, and nobody has answered it yet.
func (a *attempt) unreached() bool {
	return a.trace.connecting.Load() && !a.trace.connected.Load()
}

// trace records how far a dial has come, by the hooks of package httptrace, which net.Dialer calls.
// This package does not know how a link is dialled, only that a net.Dialer does it.
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

// How long an attempt keeps its slot among the handshakes: slotTime if it has not reached the server,
// slotMax in any case, because a person may be typing a password.
const (
	slotTime = 2 * time.Second
	slotMax  = 20 * time.Second
)

// dial makes one attempt, in a goroutine of its own. It returns the link, or why the attempt failed.
// patience is how long a connect may stay unanswered; 0 leaves that to Dial. release gives the
// handshake's slot back. The caller calls it when the link has answered, or has ended.
func (k *Keeper) dial(ctx context.Context, t *trace, server *Server, patience time.Duration) (link Link, release func(), f Failure, err error) {
	if k.c.Turn != nil {
		done, err := k.c.Turn(ctx)
		if err != nil {
			return nil, func() {}, Failure{}, err
		}
		defer done()
		context.AfterFunc(ctx, done) // an abandoned attempt gives its turn back at once, even if it ends slowly
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
		case <-t.begun: // the limits below begin with the connect, after the name lookup
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
				slot.Stop() // an established link keeps its slot until its first answer
				return
			case <-t.reached:
				return // Dial limits the rest of the attempt; slotMax still applies
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

// unreachedError is why an attempt was ended whose connect nobody answered.
type unreachedError struct{ patience time.Duration }

func (e unreachedError) Error() string {
	return fmt.Sprintf("no answer to a connect within %s", e.patience.Round(time.Millisecond))
}
