package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestWritesLeaveTogether counts the writes of a long packet.
func TestWritesLeaveTogether(t *testing.T) {
	near, far := tcpPair(t)
	c := NewConn(near)
	c.StartBatching()
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
	c := NewConn(near)
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
	if _, err := c.Read(make([]byte, 1)); err != io.EOF || !errors.Is(c.Err(), io.EOF) {
		t.Errorf("%v, %v", err, c.Err())
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

// TestReadAhead reads noise in pieces of all sizes, in bursts, and keeps no buffer when it is over.
func TestReadAhead(t *testing.T) {
	near, far := tcpPair(t)
	c := NewConn(near)
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	go func() {
		for rest, size := sent, 1; len(rest) > 0; size = size*3%(200<<10) + 1 {
			n := min(size, len(rest))
			far.Write(rest[:n])
			rest = rest[n:]
		}
		far.Close()
	}()
	var got []byte
	for size := 1; ; size = size*5%9000 + 1 {
		p := make([]byte, size)
		n, err := c.Read(p)
		got = append(got, p[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came, not the %d that were sent", len(got), len(sent))
	}
	if a := c.reader.(*readAhead); a.buffer != nil || a.rest != nil {
		t.Error("a buffer is kept of a connection that has ended")
	}
}

func TestReadAheadCountsAndCloses(t *testing.T) {
	near, far := tcpPair(t)
	c := NewConn(near)
	p := make([]byte, fullBuffer)
	allocations := testing.AllocsPerRun(100, func() {
		far.Write(make([]byte, fullBuffer/2))
		c.Read(p)
	})
	if allocations > 1 { // far's
		t.Errorf("%v allocations a read", allocations)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(p)
		ended <- err
	}()
	c.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if c.Err() != nil {
		t.Errorf("closing it here is told as its failure: %v", c.Err())
	}
}
