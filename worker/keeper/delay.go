package keeper

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Policy is how a link is watched and how long to wait between attempts.
type Policy struct {
	ServerAliveInterval time.Duration // silence after which an answer is asked for; 0: never
	ServerAliveCountMax int           // so many intervals of silence end a link
	GateTime            time.Duration // a link that lasted this long was good: the delays start over
	RetryMax            time.Duration // longest wait between two attempts
	RetryDenied         time.Duration // from one login that the server refused to the next; 0: a person is needed
	Address             string        // "host:port", what tunnels to one server share; empty: nothing is shared
}

// Times of the retry policy.
const (
	firstDelay       = time.Second            // then doubled up to RetryMax
	firstTurnedAway  = 2 * time.Second        // then tripled up to RetryMax
	nameDelay        = 500 * time.Millisecond // while a name does not resolve yet …
	nameWindow       = 15 * time.Second       // … so long after the network changed: DNS comes late after resume
	unreachedDelay   = time.Second            // from one attempt that no machine answered to the next …
	unreachedWindow  = 2 * time.Minute        // … so long after a good link fell silent or the network changed
	refusedMax       = 2 * time.Second        // longest wait meanwhile for a server that is down on a machine that is up
	jitter           = 0.2                    // of a delay, either way
	connectPatience  = time.Second            // how long a connect may stay unanswered inside unreachedWindow, at least
	blockedLookAgain = 5 * time.Second        // between two looks at what a person may have mended
	DrainTimeout     = 5 * time.Minute        // a replaced link that still has channels is closed after this
	drainLookAgain   = time.Second            // between two looks at whether they have ended
)

// Failure is what one attempt ended with.
type Failure struct {
	Class     fault.Class
	Unreached bool          // no machine answered: nothing can have been troubled by it
	Refused   bool          // a machine answered, but no server listens there
	NoName    bool          // the server's name did not resolve
	Took      time.Duration // from its start to its end
}

// failure describes err, which an attempt that took so long ended with. connecting
// says whether a TCP connect was begun, connected whether one was answered.
func failure(err error, connecting, connected bool, took time.Duration) Failure {
	var name *net.DNSError
	f := Failure{Class: fault.ClassOf(err), Took: took}
	f.NoName = errors.As(err, &name)
	f.Refused = !connected && errors.Is(err, syscall.ECONNREFUSED)
	f.Unreached = connecting && !connected && !f.Refused && !errors.Is(err, syscall.ECONNRESET)
	return f
}

// absent says that the attempt ended before there was a server to trouble.
func (f Failure) absent() bool { return f.NoName || f.Refused || f.Unreached }

// Delay is how long to wait after failure f, the n-th in a row that counts (from 1),
// calm being the time since a good link was lost, the network changed or somebody
// asked to start over. random is from [0, 1). counts says whether f counts: what
// reached nobody while things were fresh does not.
func (p Policy) Delay(f Failure, n int, calm time.Duration, random float64) (wait time.Duration, counts bool) {
	switch {
	case f.NoName && calm < nameWindow:
		return nameDelay, false
	case f.Unreached && calm < unreachedWindow:
		return max(0, min(unreachedDelay, p.RetryMax)-f.Took), false
	}
	var factor time.Duration = 2
	wait = firstDelay
	if f.Class == fault.ClassTurnedAway {
		wait, factor = firstTurnedAway, 3
	}
	for ; n > 1 && wait < p.RetryMax; n-- {
		wait *= factor
	}
	wait = min(wait, time.Duration(float64(p.RetryMax)/(1+jitter))) // the jitter included, no wait is longer than RetryMax
	if f.Refused && calm < unreachedWindow {
		wait = min(wait, refusedMax) // it restarts, and there is no server to trouble
	}
	return time.Duration(float64(wait) * (1 - jitter + 2*jitter*random)), true
}

// retriesDenied says whether a login that failed so is tried again after RetryDenied: the
// server refused it. What is missing here, such as a passphrase, no server can mend.
func (p Policy) retriesDenied(r fault.Reason) bool {
	return p.RetryDenied > 0 && (r == fault.Denied || r == fault.Password || r == fault.Code)
}
