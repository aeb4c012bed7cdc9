package testbed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. It is below the ports that the
// kernel gives to outgoing connections (ip_local_port_range), so that none of them takes it. No
// other call returns it again while this process runs, in this process or in another.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		reserved, err := net.Listen("unix", fmt.Sprintf("@holdfast-testbed-port-%d", port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			reserved.Close()
			continue
		}
		l.Close()
		reservedPorts.Store(port, reserved)
		return port
	}
	t.Fatal("no free TCP port found")
	return 0
}

// reservedPorts has an abstract unix socket for each port that FreePort returned. The kernel closes
// the socket when the process ends, and refuses a second one of the same name until then.
var reservedPorts sync.Map

// FreeAddr returns 127.0.0.1 and a FreePort.
func FreeAddr(t testing.TB) *net.TCPAddr {
	t.Helper()
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: FreePort(t)}
}

// refusalTime is how long a program may take to refuse a connection, and dialTime how long to take
// one.
const (
	refusalTime = 20 * time.Second
	dialTime    = 10 * time.Second
)

// Refusal connects to an address where it is to be refused, and returns the error that says so:
// ECONNREFUSED if nobody listens there, ECONNRESET or [io.EOF] if somebody takes the connection and
// ends it. It returns nil if a byte comes. If the program that listens resets the connection at
// once, connect(2) may report that or a later read may.
func Refusal(network, address string) error {
	conn, err := net.DialTimeout(network, address, dialTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(refusalTime))
	_, err = conn.Read(make([]byte, 1))
	return err
}

// NotListening returns nil if nobody listens at an address.
func NotListening(network, address string) error {
	conn, err := net.DialTimeout(network, address, dialTime)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("somebody listens on %s", address)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}

// EchoAt connects to a TCP address and is then as EchoThrough.
func EchoAt(address string, n int64, deadline time.Duration) error {
	conn, err := net.DialTimeout("tcp", address, deadline)
	if err != nil {
		return err
	}
	return EchoThrough(conn, n, deadline)
}
