package keeper

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

// Policy says how a link is watched and how long to wait between attempts. The names are those of
// ssh_config(5) and of the tunnel file.
type Policy struct {
	ServerAliveInterval time.Duration // silence after which a ping is sent; 0: never
	ServerAliveCountMax int           // a link ends after so many intervals of silence
	GateTime            time.Duration // after a link that lasted this long the delays start over
	RetryMax            time.Duration // longest wait between two attempts
	RetryDenied         time.Duration // wait after a login that the server refused; 0: a person is needed
	Address             string        // "host:port", the key of what tunnels to one server share; empty: nothing
}

// Times of the retry policy.
const (
	firstDelay       = time.Second            // then doubled up to RetryMax
	firstTurnedAway  = 2 * time.Second        // then tripled up to RetryMax
	nameDelay        = 500 * time.Millisecond // wait inside nameWindow if the name does not resolve
	nameWindow       = 15 * time.Second       // after a network change: DNS may come late after resume
	unreachedDelay   = time.Second            // from attempt to attempt inside unreachedWindow if no machine answers
	unreachedWindow  = 2 * time.Minute        // after the loss of a good link or a network change
	refusedMax       = 2 * time.Second        // longest wait inside unreachedWindow if the machine is up and refuses
	jitter           = 0.2                    // part of a delay that is added or subtracted at random
	connectPatience  = time.Second            // shortest limit for an unanswered connect inside unreachedWindow
	blockedLookAgain = 5 * time.Second        // between two checks whether a person has repaired something
	DrainTimeout     = 5 * time.Minute        // a replaced link that still has channels is closed after this
	drainLookAgain   = time.Second            // between two checks whether these channels have ended
)

// Failure describes how an attempt failed.
type Failure struct {
	Class     fault.Class
	Unreached bool          // no machine answered, so the attempt burdened none
	Refused   bool          // a machine answered, but no server listens there
	NoName    bool          // the server's name did not resolve
	Took      time.Duration // duration of the attempt
}

// failure describes err, with which an attempt ended. connecting says whether a TCP connect was
// begun, connected whether one was answered. took is the duration of the attempt.
func failure(err error, connecting, connected bool, took time.Duration) Failure {
	var name *net.DNSError
	f := Failure{Class: fault.ClassOf(err), Took: took}
	f.NoName = errors.As(err, &name)
	f.Refused = !connected && errors.Is(err, syscall.ECONNREFUSED)
	f.Unreached = connecting && !connected && !f.Refused && !errors.Is(err, syscall.ECONNRESET)
	return f
}

// noServer says that the attempt reached no SSH server.
func (f Failure) noServer() bool { return f.NoName || f.Refused || f.Unreached }

// Delay is how long to wait after failure f. n is its number among the failures in a row that count,
// from 1. elapsed is the time since a good link was lost, the network changed, or somebody asked to start
// over. random is from [0, 1).
//
// counts says whether f counts. It does not if the attempt reached nobody and elapsed is short.
func (p Policy) Delay(f Failure, n int, elapsed time.Duration, random float64) (wait time.Duration, counts bool) {
	switch {
	case f.NoName && elapsed < nameWindow:
		return nameDelay, false
	case f.Unreached && elapsed < unreachedWindow:
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
	wait = min(wait, time.Duration(float64(p.RetryMax)/(1+jitter))) // with the jitter, no wait is longer than RetryMax
	if f.Refused && elapsed < unreachedWindow {
		wait = min(wait, refusedMax) // the server probably restarts, and these attempts do not burden it
	}
	return time.Duration(float64(wait) * (1 - jitter + 2*jitter*random)), true
}

// retriesDenied says whether a login that failed for this reason is tried again after RetryDenied. It
// is if the server refused it, but not if something is missing here, such as a passphrase.
func (p Policy) retriesDenied(r fault.Reason) bool {
	return p.RetryDenied > 0 && (r == fault.Denied || r == fault.Password || r == fault.Code)
}
