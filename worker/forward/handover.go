package forward

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
)

// Files copies each listening socket, for a successor that will accept there too.
func (s *Set) Files() ([]*os.File, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	ports := s.ports()
	s.mu.Unlock()
	var files []*os.File
	for _, p := range ports {
		l, ok := p.listener.(interface{ File() (*os.File, error) })
		if !ok {
			continue
		}
		f, err := l.File()
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// HandOver stops accepting, and cancels the remote forwards, for a successor that has copies of the
// listening sockets. It returns when the server has cancelled each bind, or when ctx ends. Connections
// that were accepted are served until Close. The paths of unix sockets stay.
func (s *Set) HandOver(ctx context.Context) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.handedOver = true
	s.stopServing((*port).release)
	released := s.moveBinds(nil)
	s.mu.Unlock()
	if awaitAll(ctx, released) != nil {
		return errors.New("the server has not let go of a remote forward yet")
	}
	return nil
}

// stopServing ends everything that brings new connections, except the binds. s.mu is held.
func (s *Set) stopServing(end func(*port)) {
	s.closed = true
	s.Serve() // so that every accept loop can end
	if s.stopCheck != nil {
		s.stopCheck()
	}
	for _, p := range s.ports() {
		end(p)
	}
}

// ports are all local listening sockets. s.mu is held.
func (s *Set) ports() []*port {
	ports := slices.Clone(s.unowned)
	for _, f := range s.forwards {
		ports = append(ports, f.ports...)
	}
	return ports
}

// binds are the binds of the remote forwards. s.mu is held.
func (s *Set) binds() []*bind {
	var binds []*bind
	for _, f := range s.forwards {
		if f.bind != nil {
			binds = append(binds, f.bind)
		}
	}
	return binds
}
