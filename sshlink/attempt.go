package sshlink

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errConnectTimeout is the cause of an attempt's context once ConnectTimeout is over.
var errConnectTimeout = errors.New("connect timeout")

// attempt bounds one try to connect, from the first look-up to the last message of the
// authentication. The time a person takes to answer a question does not count.
type attempt struct {
	mayFallBack bool // ssh itself may try what we cannot

	mu     sync.Mutex
	left   time.Duration // while stopped
	since  time.Time     // while running
	timer  *time.Timer   // nil: no limit
	asking int
}

// start begins the attempt. The context it returns ends with its parent, or with the cause
// errConnectTimeout; call cancel when the attempt is over.
func startAttempt(parent context.Context, limit time.Duration) (context.Context, *attempt, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	a := &attempt{left: limit, since: time.Now()}
	if limit > 0 {
		a.timer = time.AfterFunc(limit, func() { cancel(errConnectTimeout) })
	}
	return ctx, a, func() {
		a.pause()
		cancel(context.Canceled)
	}
}

// pause stops the clock; a person is asked something.
func (a *attempt) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking++
	if a.timer != nil && a.asking == 1 && a.timer.Stop() {
		a.left -= time.Since(a.since)
	}
}

// resume lets the clock go on.
func (a *attempt) resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking--
	if a.timer != nil && a.asking == 0 {
		a.since = time.Now()
		a.timer.Reset(max(a.left, time.Second))
	}
}
