package demo

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// server is an SSH server on a loopback port with an echo service behind it. It accepts one generated
// key and forwards to the echo service only.
type server struct {
	address string // "127.0.0.1:PORT"; the port stays the same after vanish
	echo    string // "127.0.0.1:PORT" of the service behind it
	hostKey ssh.PublicKey
	login   []byte // the private key for logging in, PEM

	config      *ssh.ServerConfig
	echoService net.Listener

	mu       sync.Mutex
	listener net.Listener // nil after vanish
	conns    map[*net.TCPConn]struct{}
}

func newServer() (*server, error) {
	_, hostSigner, err := newKey()
	if err != nil {
		return nil, err
	}
	login, loginSigner, err := newKey()
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(login, "holdfast demo")
	if err != nil {
		return nil, err
	}
	s := &server{
		hostKey: hostSigner.PublicKey(),
		login:   pem.EncodeToMemory(block),
		conns:   make(map[*net.TCPConn]struct{}),
		config: &ssh.ServerConfig{
			PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if !bytes.Equal(key.Marshal(), loginSigner.PublicKey().Marshal()) {
					return nil, errors.New("not the demo's key")
				}
				return nil, nil
			},
		},
	}
	s.config.AddHostKey(hostSigner)
	if s.echoService, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.echo = s.echoService.Addr().String()
	go acceptAll(s.echoService, func(conn *net.TCPConn) {
		defer conn.Close()
		io.Copy(conn, conn)
		conn.CloseWrite()
	})
	s.address = "127.0.0.1:0"
	if err := s.comeBack(); err != nil {
		s.echoService.Close()
		return nil, err
	}
	return s, nil
}

func newKey() (ed25519.PrivateKey, ssh.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return private, signer, err
}

// acceptAll serves each connection in its own goroutine until the listener is closed.
func acceptAll(l net.Listener, serve func(*net.TCPConn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serve(conn.(*net.TCPConn))
	}
}

// comeBack starts to listen, at first or after vanish.
func (s *server) comeBack() error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("SSH server: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.address = l, l.Addr().String()
	go acceptAll(l, s.serve)
	return nil
}

// vanish resets every connection and refuses new ones, like a server that has crashed.
func (s *server) vanish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for conn := range s.conns {
		conn.SetLinger(0)
		conn.Close()
	}
}

// close ends the server and the service behind it.
func (s *server) close() {
	s.vanish()
	s.echoService.Close()
}

// track registers a connection for vanish. It is false if the server has vanished meanwhile.
func (s *server) track(conn *net.TCPConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *server) serve(conn *net.TCPConn) {
	defer conn.Close()
	if !s.track(conn) {
		return
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	// This also refuses keepalives. A refusal answers a keepalive; OpenSSH sends the same.
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		go s.forward(channel)
	}
}

// forward connects one channel to the echo service, and passes on half-closes.
func (s *server) forward(new ssh.NewChannel) {
	var to struct { // RFC 4254 section 7.2
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if new.ChannelType() != "direct-tcpip" || ssh.Unmarshal(new.ExtraData(), &to) != nil ||
		net.JoinHostPort(to.Host, fmt.Sprint(to.Port)) != s.echo {
		new.Reject(ssh.Prohibited, "the demo's server leads to its echo service only")
		return
	}
	target, err := net.Dial("tcp", s.echo)
	if err != nil {
		new.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer target.Close()
	channel, requests, err := new.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	go ssh.DiscardRequests(requests)
	go func() {
		io.Copy(target, channel)
		target.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(channel, target)
	channel.CloseWrite()
}
