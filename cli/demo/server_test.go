package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
)

func dialServer(t *testing.T, s *server) *ssh.Client {
	t.Helper()
	signer, err := ssh.ParsePrivateKey(s.login)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", s.address, &ssh.ClientConfig{
		User:            "demo",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(s.hostKey),
		Timeout:         10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestServer(t *testing.T) {
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	client := dialServer(t, s)

	conn, err := client.Dial("tcp", s.echo)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if answer, err := io.ReadAll(conn); err != nil || string(answer) != hello {
		t.Errorf("echo: %q, %v", answer, err)
	}

	if _, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
		t.Error("leads elsewhere than to its echo service")
	}
	if _, err := client.NewSession(); err == nil {
		t.Error("opens sessions")
	}

	s.vanish()
	if err := client.Wait(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("link ended with %v", err)
	}
	if err := testbed.NotListening("tcp", s.address); err != nil {
		t.Errorf("after it vanished: %v", err)
	}
	if err := s.comeBack(); err != nil {
		t.Fatal(err)
	}
	dialServer(t, s)
}

func TestServerRefusesOtherKeys(t *testing.T) {
	s, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	other, err := newServer()
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	signer, err := ssh.ParsePrivateKey(other.login)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ssh.Dial("tcp", s.address, &ssh.ClientConfig{
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(s.hostKey),
	})
	if err == nil {
		t.Error("let a stranger in")
	}
}

func TestEchoTellsDamage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go acceptAll(l, func(conn *net.TCPConn) {
		defer conn.Close()
		all, _ := io.ReadAll(conn)
		all[0] ^= 1
		conn.Write(all)
	})
	if _, err := echo(context.Background(), l.Addr().String(), 1000); err == nil {
		t.Error("a bit was flipped and nobody noticed")
	}
}
