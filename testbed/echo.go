package testbed

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// Echo starts a server that sends back what it receives, and half-closes when its
// client does. network and address are as for [net.Listen]; the address it got is returned.
func Echo(t testing.TB, network, address string) net.Addr {
	t.Helper()
	return Serve(t, network, address, func(conn net.Conn) { io.Copy(conn, conn) })
}

// Serve starts a server that calls handle for each connection, in a goroutine of
// its own, and half-closes and then closes the connection when handle returns.
func Serve(t testing.TB, network, address string, handle func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, handle)
	return l.Addr()
}

func serve(t testing.TB, l net.Listener, handle func(net.Conn)) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
				if c, ok := conn.(interface{ CloseWrite() error }); ok {
					c.CloseWrite()
				}
			}()
		}
	}()
}

// CheckEcho sends n bytes through conn, half-closes it, and fails the test unless
// the same bytes and then the end come back within deadline. It closes conn.
func CheckEcho(t testing.TB, conn net.Conn, n int64, deadline time.Duration) {
	t.Helper()
	if err := EchoThrough(conn, n, deadline); err != nil {
		t.Fatal(err)
	}
}

// EchoThrough is CheckEcho for goroutines that may not end the test.
func EchoThrough(conn net.Conn, n int64, deadline time.Duration) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("%T cannot be half-closed", conn)
	}
	sent := sha256.New()
	wrote := make(chan error, 1)
	go func() {
		_, err := io.CopyN(conn, io.TeeReader(noise(), sent), n)
		if err == nil {
			err = half.CloseWrite()
		}
		wrote <- err
	}()
	received := sha256.New()
	got, readErr := io.Copy(received, conn)
	if readErr != nil {
		conn.Close() // so that the writer ends too
	}
	writeErr := <-wrote
	if err := errors.Join(writeErr, readErr); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", got, n, err)
	}
	if got != n {
		return fmt.Errorf("%d bytes came back of %d", got, n)
	}
	if [32]byte(sent.Sum(nil)) != [32]byte(received.Sum(nil)) {
		return fmt.Errorf("%d bytes came back, but not the same", n)
	}
	return nil
}

// noise is an endless stream of bytes in which a repeated, lost or moved block does not match.
func noise() io.Reader {
	return rand.NewChaCha8([32]byte([]byte("holdfast testbed: bytes to check")))
}

// OneConnection is an address that leads to another one and has room for one connection at a time. asked
// counts the connections that were tried.
func OneConnection(t testing.TB, to string) (address net.Addr, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	var busy atomic.Bool
	return Serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		asked.Add(1)
		if !busy.CompareAndSwap(false, true) {
			return
		}
		defer busy.Store(false)
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			io.Copy(server, conn)
			server.Close()
		}()
		io.Copy(conn, server)
	}), asked
}
