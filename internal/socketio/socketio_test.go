package socketio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pair is the two ends of a connection.
func pair(t *testing.T, network, address string) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close() })
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Close() })
	return here, there
}

// everyKind runs a test for each kind of connection.
func everyKind(t *testing.T, test func(t *testing.T, s *Socket, there net.Conn)) {
	kinds := map[string]func(*testing.T) (net.Conn, net.Conn){
		"tcp":       func(t *testing.T) (net.Conn, net.Conn) { return pair(t, "tcp", "127.0.0.1:0") },
		"unix":      func(t *testing.T) (net.Conn, net.Conn) { return pair(t, "unix", filepath.Join(t.TempDir(), "s")) },
		"no socket": func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			here, there := kind(t)
			deadline := time.Now().Add(10 * time.Second)
			here.SetDeadline(deadline)
			there.SetDeadline(deadline)
			test(t, New(here), there)
		})
	}
}

// sizes of reads and writes: small ones, long ones, and more of them in a row than are not announced.
var sizes = slices.Concat([]int{0, 1, Small - 1, Small, Small + 1, 300 << 10}, slices.Repeat([]int{7}, 100))

func TestReadReturnsAllBytesAndTheEnd(t *testing.T) {
	everyKind(t, func(t *testing.T, s *Socket, there net.Conn) {
		want := bytes.Repeat([]byte("0123456789"), 100_000)
		go func() {
			there.Write(want)
			there.Close()
		}()
		var got []byte
		for i := 0; ; i++ {
			p := make([]byte, sizes[i%len(sizes)])
			n, err := s.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d", len(got), len(want))
		}
		for range 2 { // at least one of them is not announced
			if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the end: %d, %v", n, err)
			}
		}
	})
}

// Nobody reads until the socket is full, so that a write ends in the middle of its bytes. It says how many went out.
func TestWriteIsCutByItsDeadline(t *testing.T) {
	cut := 0
	for size := 1000; size <= Small; size += 31 {
		here, there := pair(t, "tcp", "127.0.0.1:0")
		s, piece, total := New(here), make([]byte, size), int64(0)
		var err error
		for err == nil {
			here.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			var n int
			n, err = s.Write(piece)
			if total += int64(n); err == nil && n != size {
				t.Fatalf("%d bytes of %d were written, and no error", n, size)
			}
			if err != nil && n > 0 {
				cut++
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		here.Close()
		if n, err := io.Copy(io.Discard, there); n != total || err != nil {
			t.Fatalf("%d bytes arrived of %d: %v", n, total, err)
		}
	}
	if cut == 0 {
		t.Error("no write was cut: this test shows nothing")
	}
}

// Writes of any length arrive whole and in order.
func TestWriteWritesAllBytes(t *testing.T) {
	everyKind(t, func(t *testing.T, s *Socket, there net.Conn) {
		var want []byte
		for i := range 4000 {
			want = append(want, bytes.Repeat([]byte{byte(i)}, 1500)...)
		}
		result := make(chan error, 1)
		go func() {
			for piece := range slices.Chunk(want, 1500) {
				if n, err := s.Write(piece); n != len(piece) || err != nil {
					result <- fmt.Errorf("%d bytes written: %w", n, err)
					return
				}
			}
			_, err := s.WriteBuffers(net.Buffers{[]byte("a "), []byte("last word")})
			result <- err
		}()
		got := make([]byte, len(want)+len("a last word"))
		if _, err := io.ReadFull(there, got); err != nil || string(got) != string(want)+"a last word" {
			t.Errorf("not all arrived: %v", err)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsAreThoseOfPackageNet(t *testing.T) {
	here, there := pair(t, "tcp", "127.0.0.1:0")
	s := New(here)
	here.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a deadline: %v", err)
	}
	here.SetReadDeadline(time.Now().Add(10 * time.Second))
	there.(*net.TCPConn).SetLinger(0)
	there.Close()
	_, byNet := New(here).Read(make([]byte, 1))
	if op, ok := errors.AsType[*net.OpError](byNet); !ok || op.Op != "read" || op.Addr == nil {
		t.Errorf("after a reset: %v", byNet)
	}
	_, err := s.Write([]byte("x"))
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "write" {
		t.Errorf("a write after a reset: %v", err)
	}
	here.Close()
	for _, f := range []func([]byte) (int, error){s.Read, s.Write} {
		if _, err := f([]byte("x")); !errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "raw-") {
			t.Errorf("after Close: %v", err)
		}
	}
}

// A read that fails returns none of the bytes that the one before returned.
func TestReadAfterAnother(t *testing.T) {
	for name, end := range map[string]func(net.Conn) error{
		"closed":   net.Conn.Close,
		"deadline": func(c net.Conn) error { return c.SetReadDeadline(time.Now().Add(-time.Second)) },
	} {
		here, there := pair(t, "tcp", "127.0.0.1:0")
		s, p := New(here), make([]byte, 10)
		there.Write([]byte("hello"))
		if n, err := s.Read(p); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := end(here); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(p); n != 0 || err == nil {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// A reader that never waits announces some of its reads, so that the monitor thread is there.
func TestStreakIsAnnounced(t *testing.T) {
	var k Streak
	for i := range 100 {
		if announced := k.Announce(i%3 == 0); announced {
			t.Fatal("announced, though every third read waited")
		}
	}
	for range 15 {
		k.Announce(false)
	}
	if !k.Announce(false) {
		t.Error("a reader that did not wait is not announced")
	}
}
