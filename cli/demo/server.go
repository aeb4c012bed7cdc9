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

// server is an SSH server on a loopback port, with an echo service behind it. It
// lets in one key, made for it, and forwards to the echo service and nowhere else.
type server struct {
	address string // "127.0.0.1:PORT", the same each time it comes back
	echo    string // "127.0.0.1:PORT" of the service behind it
	hostKey ssh.PublicKey
	login   []byte // the private key it lets in, PEM

	config      *ssh.ServerConfig
	echoService net.Listener

	mu       sync.Mutex
	listener net.Listener // nil while it is gone
	conns    map[*net.TCPConn]struct{}
}

func newServer() (*server, error) {
	hostPublic, hostPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	hostSigner, err := ssh.NewSignerFromKey(hostPrivate)
	if err != nil {
		return nil, err
	}
	hostKey, err := ssh.NewPublicKey(hostPublic)
	if err != nil {
		return nil, err
	}
	loginPublic, loginPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	allowed, err := ssh.NewPublicKey(loginPublic)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(loginPrivate, "holdfast demo")
	if err != nil {
		return nil, err
	}
	s := &server{
		hostKey: hostKey,
		login:   pem.EncodeToMemory(block),
		conns:   make(map[*net.TCPConn]struct{}),
		config: &ssh.ServerConfig{
			PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				if !bytes.Equal(key.Marshal(), allowed.Marshal()) {
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

// acceptAll serves each connection in a goroutine, until the listener is closed.
func acceptAll(l net.Listener, serve func(*net.TCPConn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serve(conn.(*net.TCPConn))
	}
}

// comeBack listens, for the first time or after vanish.
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

// vanish resets every connection and refuses new ones, as a server that crashed does.
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

// track notes a connection for vanish; it is false when the server has vanished meanwhile.
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
	// Keepalives among them: a refusal is an answer too, and the one that OpenSSH gives.
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		go s.forward(channel)
	}
}

// directTCPIP is the payload of RFC 4254, section 7.2.
type directTCPIP struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// forward serves one channel: a connection to the echo service, half-close included.
func (s *server) forward(new ssh.NewChannel) {
	var to directTCPIP
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
