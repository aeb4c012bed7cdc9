package forward

import (
	"context"
	"errors"
	"net"
	"os"
)

// Files is a copy of each listening socket, for a process that is to accept there as well.
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

// HandOver stops accepting and takes the remote forwards back, for another process that has
// the listening sockets already. It returns when the server has let go of each bind, or ctx
// ends. What was accepted is served until Close; the paths of unix sockets stay.
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
	var released []<-chan struct{}
	for _, b := range s.binds() {
		released = append(released, b.moveTo(nil))
	}
	s.mu.Unlock()
	for _, done := range released {
		select {
		case <-done:
		case <-ctx.Done():
			return errors.New("the server has not let go of a remote forward yet")
		}
	}
	return nil
}

// stopServing ends what brings in somebody new, but for the binds. s.mu is held.
func (s *Set) stopServing(end func(*port)) {
	s.closed = true
	s.Serve() // so that every accept loop finds its end
	if s.stopCheck != nil {
		s.stopCheck()
	}
	for _, p := range s.ports() {
		end(p)
	}
}

// ports are all sockets that listen here. s.mu is held.
func (s *Set) ports() []*port {
	ports := append([]*port(nil), s.spare...)
	for _, f := range s.forwards {
		ports = append(ports, f.ports...)
	}
	return ports
}

// binds are those of the remote forwards. s.mu is held.
func (s *Set) binds() []*bind {
	var binds []*bind
	for _, f := range s.forwards {
		if f.bind != nil {
			binds = append(binds, f.bind)
		}
	}
	return binds
}

// release closes this process's copy of the socket, which lives on in another.
func (p *port) release() {
	p.closing.Store(true)
	p.listener.Close()
}
