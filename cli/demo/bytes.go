package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/holdfast/holdfast/internal/text"
)

// echo sends n bytes to the echo service at address and reads them back. It returns their SHA-256, or
// an error if the received bytes differ.
func echo(ctx context.Context, address string, n int64) (sum [32]byte, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return sum, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	sent := sha256.New()
	wrote := make(chan error, 1)
	go func() {
		noise := rand.NewChaCha8([32]byte{}) // fast, and no two blocks are alike
		_, err := io.CopyN(conn, io.TeeReader(noise, sent), n)
		wrote <- errors.Join(err, conn.(*net.TCPConn).CloseWrite())
	}()
	received := sha256.New()
	got, err := io.Copy(received, conn)
	if err != nil {
		conn.Close() // so that the writer ends too
	}
	if err := errors.Join(<-wrote, err); err != nil {
		return sum, fmt.Errorf("after %s of %s: %w", text.Bytes(uint64(got)), text.Bytes(uint64(n)), err)
	}
	sum = [32]byte(received.Sum(nil))
	if got != n || sum != [32]byte(sent.Sum(nil)) {
		return sum, fmt.Errorf("%d bytes went out, %d came back, and they are not the same", n, got)
	}
	return sum, nil
}

// visitor is a connection that was made while the link was down.
type visitor struct {
	conn net.Conn
	came time.Time
}

// visit connects to address and writes hello.
func visit(ctx context.Context, address string) (*visitor, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	v := &visitor{came: time.Now()}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the local port is gone: %w", err)
	}
	v.conn = conn
	if _, err := io.WriteString(conn, hello); err != nil {
		conn.Close()
		return nil, err
	}
	return v, nil
}

const hello = "hello, is anybody there?"

// answered waits for the echo of hello. It returns the time at which it came.
func (v *visitor) answered(ctx context.Context) (time.Time, error) {
	defer context.AfterFunc(ctx, func() { v.conn.Close() })()
	defer v.conn.Close()
	answer := make([]byte, len(hello))
	if _, err := io.ReadFull(v.conn, answer); err != nil {
		return time.Time{}, fmt.Errorf("the connection that waited was not served: %w", errors.Join(ctx.Err(), err))
	}
	if string(answer) != hello {
		return time.Time{}, fmt.Errorf("the connection that waited got %q for an answer", answer)
	}
	return time.Now(), nil
}

// freeAddress is a loopback address on which nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
