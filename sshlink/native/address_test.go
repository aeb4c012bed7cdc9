package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
)

func TestInterleave(t *testing.T) {
	parse := func(texts ...string) (addrs []netip.Addr) {
		for _, s := range texts {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		return addrs
	}
	got := interleave(parse("2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "::ffff:192.0.2.2"))
	want := parse("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3")
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := interleave(nil); got != nil {
		t.Error(got)
	}
}

// TestRace dials addresses that fail, hang and answer.
func TestRace(t *testing.T) {
	fails, hangs, answers := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	var running atomic.Int32
	dial := func(ctx context.Context, a netip.Addr) (net.Conn, error) {
		running.Add(1)
		defer running.Add(-1)
		switch a {
		case fails:
			return nil, fmt.Errorf("%s refused", a)
		case hangs:
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c, _ := net.Pipe()
		return c, nil
	}
	for _, c := range []struct {
		addrs        []netip.Addr
		atLeast, max time.Duration
		err          string
	}{
		{[]netip.Addr{answers, hangs}, 0, 200 * time.Millisecond, ""},
		{[]netip.Addr{fails, answers}, 0, 200 * time.Millisecond, ""},
		{[]netip.Addr{hangs, answers}, attemptDelay, attemptDelay + 2*time.Second, ""},
		{[]netip.Addr{hangs, hangs, answers}, 2 * attemptDelay, 2*attemptDelay + 2*time.Second, ""},
		{[]netip.Addr{fails, fails}, 0, 200 * time.Millisecond, "192.0.2.1 refused"},
	} {
		start := time.Now()
		conn, err := race(t.Context(), c.addrs, dial)
		took := time.Since(start)
		if conn != nil {
			conn.Close()
		}
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%v: %v", c.addrs, err)
		}
		if took < c.atLeast || took > c.max {
			t.Errorf("%v: took %v", c.addrs, took)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := race(ctx, []netip.Addr{hangs}, dial); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if n := running.Load(); n > 0 {
			return fmt.Errorf("%d dials still run", n)
		}
		return nil
	})
}

func TestCausesOfSeveralAddresses(t *testing.T) {
	failed := func(host string, errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP(host), Port: 22}, Err: os.NewSyscallError("connect", errno)}
	}
	for want, j := range map[string]joined{
		"connection refused": {failed("198.51.100.2", syscall.ECONNREFUSED), failed("2001:db8::2", syscall.ECONNREFUSED)},
		"2001:db8::2: network is unreachable; 198.51.100.2: connection refused": {failed("2001:db8::2", syscall.ENETUNREACH), failed("198.51.100.2", syscall.ECONNREFUSED)},
	} {
		if got := fault.Wrap(fault.Unreachable, j, "cannot").Error(); got != "cannot: "+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
