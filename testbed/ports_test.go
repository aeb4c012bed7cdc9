package testbed

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
)

func TestFreePortIsNotGivenTwice(t *testing.T) {
	name := fmt.Sprintf("@holdfast-testbed-port-%d", FreePort(t))
	if _, err := net.Listen("unix", name); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("another process may have the port too: %v", err)
	}
}

func TestRefusal(t *testing.T) {
	free := FreeAddr(t).String()
	if err := Refusal("tcp", free); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := NotListening("tcp", free); err != nil {
		t.Error(err)
	}
	reset := Serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}).String()
	for range 100 { // connect(2) or a read reports it
		if err := Refusal("tcp", reset); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("reset at once: %v", err)
		}
	}
	greets := Serve(t, "tcp", "127.0.0.1:0", func(conn net.Conn) { conn.Write([]byte("hello")) }).String()
	if err := Refusal("tcp", greets); err != nil {
		t.Errorf("a byte came, and yet %v", err)
	}
	if err := NotListening("tcp", greets); err == nil {
		t.Error("somebody listens")
	}
}
