package sshlink

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestBatching sends packets of every length around x/crypto's buffer over each cipher that
// batching is for, one at a time: a chunk that was held for nothing would never come back.
func TestBatching(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go serveEcho(target)
	for _, cipher := range []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"} {
		t.Run(cipher, func(t *testing.T) {
			l := dialServer(t, s, "Ciphers="+cipher)
			if batches := l.conn.batch.Load(); batches != (cipher != "aes128-ctr") {
				t.Fatalf("batching: %v", batches)
			}
			c, err := l.DialContext(t.Context(), "tcp", target.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sent, got := make([]byte, 33<<10), make([]byte, 33<<10)
			rand.Read(sent)
			timer := time.AfterFunc(30*time.Second, func() { l.Close() })
			defer timer.Stop()
			lengths := []int{1, 8150, 8160, 8170, 8192, 32 << 10, 33 << 10}
			for n := 4020; n <= 4110; n++ {
				lengths = append(lengths, n)
			}
			for _, n := range lengths {
				if _, err := c.Write(sent[:n]); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, got[:n]); err != nil || !bytes.Equal(got[:n], sent[:n]) {
					t.Fatalf("%d bytes: %v", n, err)
				}
			}
		})
	}
}

// TestWritesLeaveTogether counts the writes of a long packet.
func TestWritesLeaveTogether(t *testing.T) {
	near, far := tcpPair(t)
	c := newConn(near)
	c.startBatching()
	head, rest := make([]byte, fullBuffer), make([]byte, 1000)
	rand.Read(head)
	rand.Read(rest)
	c.Write(head)
	far.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := far.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Fatal("the first part left alone")
	}
	if n, err := c.Write(rest); n != len(rest) || err != nil {
		t.Fatal(n, err)
	}
	far.SetReadDeadline(time.Time{})
	got := make([]byte, len(head)+len(rest))
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, append(head, rest...)) {
		t.Error(err)
	}
	allocations := testing.AllocsPerRun(100, func() {
		c.Write(head)
		c.Write(rest)
		io.ReadFull(far, got)
	})
	if allocations > 0 {
		t.Errorf("%v allocations a packet", allocations)
	}
}

func TestActivity(t *testing.T) {
	near, far := tcpPair(t)
	c := newConn(near)
	if c.unanswered.Load() != 0 {
		t.Error("unanswered before anything was asked")
	}
	c.Write([]byte("a"))
	first := c.unanswered.Load()
	c.Write([]byte("b"))
	if first == 0 || c.unanswered.Load() != first {
		t.Error("unanswered is not when the first byte was written")
	}
	if len(c.busy) != 1 {
		t.Error("no token after a write that ended a silence")
	}
	far.Write([]byte("c"))
	c.Read(make([]byte, 1))
	if c.unanswered.Load() != 0 || c.lastReceived.Load() < first {
		t.Error("an answer does not count")
	}
	io.ReadFull(far, make([]byte, 2)) // closing with something unread would be a reset
	far.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF || !errors.Is(c.err(), io.EOF) {
		t.Errorf("%v, %v", err, c.err())
	}
	<-c.closed
}

func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

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
		{[]netip.Addr{fails, fails}, 0, 200 * time.Millisecond, "192.0.2.1 refused; 192.0.2.1 refused"},
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
	testbed.WaitFor(t, 5*time.Second, func() error {
		if n := running.Load(); n > 0 {
			return fmt.Errorf("%d dials still run", n)
		}
		return nil
	})
}
