package openssh

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

// tcpPair is two ends of a TCP connection.
func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); other.Close() })
	return c.(*net.TCPConn), other.(*net.TCPConn)
}

// pipe is ends of a pipe, of which either may be ours.
func pipe(t *testing.T) (read, write *pipeEnd) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write = &pipeEnd{File: r}, &pipeEnd{File: w}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

// spliceAll moves until a side ends.
func spliceAll(dst, src syscall.Conn) (n int64, readErr, writeErr error) {
	for readErr == nil && writeErr == nil {
		var k int
		k, readErr, writeErr = splice(dst, src)
		n += int64(k)
	}
	return n, readErr, writeErr
}

// TestSpliceCarriesEveryByte sends noise there and back, with a reader that now and then is slow, and
// wants it whole, counted and followed by its end.
func TestSpliceCarriesEveryByte(t *testing.T) {
	const total = 32 << 20
	for _, size := range []int{4 << 10, smallPipe, largePipe} {
		client, local := tcpPair(t)
		out, in := pipe(t)
		if !in.resize(size) {
			t.Fatalf("no pipe of %d bytes", size)
		}
		back, server := tcpPair(t)
		counted := make(chan int64, 2)
		move := func(dst, src syscall.Conn, end func() error) {
			n, readErr, writeErr := spliceAll(dst, src)
			if readErr != io.EOF || writeErr != nil {
				t.Errorf("ended by %v, %v", readErr, writeErr)
			}
			end()
			counted <- n
		}
		go move(in.File, local, in.Close)
		go move(back, out.File, back.CloseWrite)
		sent := make(chan hash.Hash, 1)
		go func() {
			sum := sha256.New()
			noise := rand.NewChaCha8([32]byte{1})
			for left := total; left > 0; {
				chunk := make([]byte, min(left, 1+rand.IntN(200<<10)))
				noise.Read(chunk)
				sum.Write(chunk)
				client.Write(chunk)
				left -= len(chunk)
			}
			client.CloseWrite()
			sent <- sum
		}()
		got := sha256.New()
		server.SetDeadline(time.Now().Add(3 * patience))
		for chunk := make([]byte, 64<<10); ; {
			n, err := server.Read(chunk[:1+rand.IntN(len(chunk))])
			got.Write(chunk[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if rand.IntN(200) == 0 {
				time.Sleep(time.Millisecond) // both buffers fill
			}
		}
		if string((<-sent).Sum(nil)) != string(got.Sum(nil)) {
			t.Errorf("pipe of %d: other bytes came", size)
		}
		for range 2 {
			if n := <-counted; n != total {
				t.Errorf("pipe of %d: %d bytes counted, want %d", size, n, total)
			}
		}
	}
}

// TestSpliceSaysWhichSideFailed wants the end of each side told apart, also while it waits.
func TestSpliceSaysWhichSideFailed(t *testing.T) {
	type outcome struct {
		n                 int64
		readErr, writeErr error
	}
	fill := func(t *testing.T, w io.Writer) {
		go func() {
			for chunk := make([]byte, 64<<10); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}()
	}
	for name, row := range map[string]struct {
		cut  func(t *testing.T, client, local *net.TCPConn, read, write *pipeEnd)
		up   bool // from the socket to the pipe
		want func(outcome) bool
	}{
		"the client resets": {
			func(_ *testing.T, client, _ *net.TCPConn, _, _ *pipeEnd) { client.SetLinger(0); client.Close() }, true,
			func(o outcome) bool { return errors.Is(o.readErr, unix.ECONNRESET) && o.writeErr == nil }},
		"the channel's reader has gone": {
			func(t *testing.T, client, _ *net.TCPConn, read, _ *pipeEnd) { read.Close(); client.Write([]byte("x")) }, true,
			func(o outcome) bool { return errors.Is(o.writeErr, unix.EPIPE) && o.readErr == nil }},
		"the channel's reader goes while the pipe is full": {
			func(t *testing.T, client, _ *net.TCPConn, read, _ *pipeEnd) {
				fill(t, client)
				full(t, read)
				read.Close()
			}, true,
			func(o outcome) bool { return errors.Is(o.writeErr, unix.EPIPE) && o.readErr == nil }},
		"the socket is closed here": {
			func(_ *testing.T, _, local *net.TCPConn, _, _ *pipeEnd) { local.Close() }, true,
			func(o outcome) bool { return errors.Is(o.readErr, net.ErrClosed) }},
		"the pipe is closed here while it is full": {
			func(t *testing.T, client, _ *net.TCPConn, read, write *pipeEnd) {
				fill(t, client)
				full(t, read)
				write.Close()
			}, true,
			func(o outcome) bool { return o.writeErr != nil && o.readErr == nil }},
		"the channel ends": {
			func(_ *testing.T, _, _ *net.TCPConn, _, write *pipeEnd) { write.Close() }, false,
			func(o outcome) bool { return o.readErr == io.EOF && o.writeErr == nil }},
		"the client does not want more": {
			func(t *testing.T, client, _ *net.TCPConn, _, write *pipeEnd) {
				client.SetLinger(0)
				client.Close()
				fill(t, write)
			}, false,
			func(o outcome) bool { return o.writeErr != nil && o.readErr == nil }},
		"the pipe is closed here": {
			func(_ *testing.T, _, _ *net.TCPConn, read, _ *pipeEnd) { read.Close() }, false,
			func(o outcome) bool { return o.readErr != nil && o.readErr != io.EOF && o.writeErr == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			client, local := tcpPair(t)
			read, write := pipe(t)
			ended := make(chan outcome, 1)
			go func() {
				var o outcome
				if row.up {
					o.n, o.readErr, o.writeErr = spliceAll(write.File, local)
				} else {
					o.n, o.readErr, o.writeErr = spliceAll(local, read.File)
				}
				ended <- o
			}()
			row.cut(t, client, local, read, write)
			select {
			case o := <-ended:
				if !row.want(o) {
					t.Errorf("%d bytes, read %v, write %v", o.n, o.readErr, o.writeErr)
				}
			case <-time.After(patience):
				t.Error("it still waits")
			}
		})
	}
}

// full waits until a pipe has no more room.
func full(t *testing.T, read *pipeEnd) {
	t.Helper()
	raw, err := read.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var n int
		raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		if err != nil {
			t.Fatal(err)
		}
		if n >= smallPipe {
			return
		}
	}
	t.Fatal("the pipe does not fill")
}

// TestFewPipesAreLarge wants a bound for all, and room again once some are closed or quiet.
func TestFewPipesAreLarge(t *testing.T) {
	var all []*pipeEnd
	for range largePipesMax {
		_, w := pipe(t)
		if w.grow(); !w.large.Load() {
			t.Fatal("a pipe did not grow")
		}
		all = append(all, w)
	}
	_, w := pipe(t)
	if w.grow(); w.large.Load() {
		t.Error("too many pipes have grown")
	}
	all[0].Close()
	if w.grow(); !w.large.Load() {
		t.Error("no pipe grows in the place of one that was closed")
	}
	w.Write([]byte("x"))
	if w.large.Load() {
		t.Error("a quiet pipe stays large")
	}
	for _, w := range all {
		w.Close()
	}
	if n := largePipes.Load(); n != 0 {
		t.Errorf("%d pipes count as large and none is", n)
	}
}
