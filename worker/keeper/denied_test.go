package keeper

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// slices of errors cannot be compared with ==, which would be a panic.
type many []error

func (m many) Error() string        { return errors.Join(m...).Error() }
func (m many) Reason() fault.Reason { return fault.Denied }

// TestRetryDenied: a refused login is tried again by itself, blocked all the while, and
// nobody is asked for it. The short time is of the test's: a tunnel file has at least a minute.
func TestRetryDenied(t *testing.T) {
	t.Parallel()
	var asked, dialed atomic.Int64
	h := start(t, func(c *Config) {
		c.Policy.RetryDenied = 20 * time.Millisecond
		dial, state := c.Dial, c.State
		c.Dial = func(ctx context.Context) (Link, error) {
			dialed.Add(1)
			if !Unattended(ctx) {
				asked.Add(1)
			}
			return dial(ctx)
		}
		c.State = func(s Status) {
			if dialed.Load() > 1 && s.State != tunnelfile.Blocked && s.State != tunnelfile.Up && s.State != tunnelfile.Connecting {
				t.Errorf("says %s meanwhile", s.State)
			}
			state(s)
		}
	})
	h.dials <- many{errors.New("no such key")}
	h.dials <- reasoned(fault.Passphrase, "nobody to ask") // as nobody was asked
	h.dials <- many{errors.New("no such key")}
	h.until("tried again", func() bool {
		return h.dialed == 4 && h.last.State == tunnelfile.Blocked && h.last.Reason == fault.Denied
	})
	h.k.Probe() // the network is another: that does not end it
	h.dials <- newFakeLink()
	h.untilState(tunnelfile.Up)
	if n := asked.Load(); n != 1 {
		t.Errorf("%d attempts would have asked a person, want 1", n)
	}
}

// TestRetryDeniedIsForTheServer: what is missing here no server can mend.
func TestRetryDeniedIsForTheServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason fault.Reason
		policy time.Duration
	}{
		{fault.HostKeyChanged, time.Millisecond}, {fault.Passphrase, time.Millisecond}, {fault.Settings, time.Millisecond}, {fault.Denied, 0},
	} {
		h := start(t, func(config *Config) { config.Policy.RetryDenied = c.policy })
		h.dials <- reasoned(c.reason, "no")
		h.untilState(tunnelfile.Blocked)
		h.set(func() {
			if !h.last.NextTry.IsZero() {
				t.Errorf("%s with RetryDenied=%v: a next try is planned", c.reason, c.policy)
			}
		})
	}
}

// TestBlockedByUncomparableError: what is looked at while blocked is no comparison of errors.
func TestBlockedByUncomparableError(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.dials <- many{errors.New("no")}
	h.untilState(tunnelfile.Blocked)
	h.set(func() { h.seen = "a key more" })
	h.up()
}
