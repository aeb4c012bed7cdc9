package keeper

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

func TestDelay(t *testing.T) {
	p := Policy{RetryMax: time.Minute}
	const middle = 0.5 // no jitter
	for _, c := range []struct {
		what    string
		f       Failure
		n       int
		elapsed time.Duration
		random  float64
		want    time.Duration
		counts  bool
	}{
		{"first", Failure{Refused: true}, 1, 0, middle, time.Second, true},
		{"second", Failure{Refused: true}, 2, 0, middle, 2 * time.Second, true},
		{"third", Failure{}, 3, 0, middle, 4 * time.Second, true},
		{"refused, a server restarts", Failure{Refused: true}, 4, 0, middle, 2 * time.Second, true},
		{"refused for long", Failure{Refused: true}, 4, 2 * time.Minute, middle, 8 * time.Second, true},
		{"sixth", Failure{}, 6, 0, middle, 32 * time.Second, true},
		{"seventh meets RetryMax", Failure{}, 7, 0, middle, 50 * time.Second, true},
		{"thousandth", Failure{}, 1000, 0, middle, 50 * time.Second, true},
		{"least jitter", Failure{}, 4, 0, 0, 6400 * time.Millisecond, true},
		{"most jitter", Failure{}, 4, 0, 1, 9600 * time.Millisecond, true},
		{"turned away", Failure{Class: fault.ClassTurnedAway}, 1, 0, middle, 2 * time.Second, true},
		{"turned away again", Failure{Class: fault.ClassTurnedAway}, 3, 0, middle, 18 * time.Second, true},
		{"turned away for long", Failure{Class: fault.ClassTurnedAway}, 9, 0, middle, 50 * time.Second, true},
		{"no name yet", Failure{NoName: true}, 1, 14 * time.Second, middle, 500 * time.Millisecond, false},
		{"no name still", Failure{NoName: true}, 1, 15 * time.Second, middle, time.Second, true},
		{"unreached at once", Failure{Unreached: true}, 1, time.Second, middle, time.Second, false},
		{"unreached after some time", Failure{Unreached: true, Took: 700 * time.Millisecond}, 1, time.Second, middle, 300 * time.Millisecond, false},
		{"unreached in its own time", Failure{Unreached: true, Took: 15 * time.Second}, 9, time.Second, middle, 0, false},
		{"unreached for long", Failure{Unreached: true}, 2, 2 * time.Minute, middle, 2 * time.Second, true},
	} {
		got, counts := p.Delay(c.f, c.n, c.elapsed, c.random)
		if d := got - c.want; d < -time.Millisecond || d > time.Millisecond || counts != c.counts {
			t.Errorf("%s: %v, counts %v; want %v, %v", c.what, got, counts, c.want, c.counts)
		}
	}
	for _, most := range []time.Duration{time.Second, 4 * time.Second, time.Minute} {
		for _, f := range []Failure{{}, {Class: fault.ClassTurnedAway}, {Refused: true}, {Unreached: true}, {NoName: true}} {
			for n := range 10 {
				if got, _ := (Policy{RetryMax: most}).Delay(f, n, 0, 0.9999999); got > most {
					t.Errorf("%v after %+v, RetryMax is %v", got, f, most)
				}
			}
		}
	}
}

func TestFailure(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	noName := &net.DNSError{Err: "no such host", Name: "x.invalid", IsNotFound: true}
	for _, c := range []struct {
		what                  string
		err                   error
		connecting, connected bool
		want                  Failure
	}{
		{"refused", refused, true, false, Failure{Refused: true}},
		{"no route", syscall.EHOSTUNREACH, true, false, Failure{Unreached: true}},
		{"no answer", unreachedError{time.Second}, true, false, Failure{Unreached: true}},
		{"no name", noName, false, false, Failure{NoName: true}},
		{"reset in the handshake", syscall.ECONNRESET, true, true, Failure{}},
		{"a proxy command", errors.New("exit status 1"), false, false, Failure{}},
	} {
		if got := failure(c.err, c.connecting, c.connected, 0); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}
