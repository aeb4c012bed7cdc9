package manager

import (
	"sync"

	"github.com/holdfast/holdfast/internal/listing"
)

// subscribers get changes in order, each from a goroutine of its own, so that a slow one delays
// neither the table nor the others.
type subscribers struct {
	mu   sync.Mutex
	list map[*subscriber]bool
}

func (s *subscribers) add(f func(listing.Change)) (cancel func()) {
	sub := &subscriber{f: f}
	sub.more = sync.NewCond(&sub.mu)
	s.mu.Lock()
	if s.list == nil {
		s.list = make(map[*subscriber]bool)
	}
	s.list[sub] = true
	s.mu.Unlock()
	go sub.deliver()
	return func() {
		s.mu.Lock()
		delete(s.list, sub)
		s.mu.Unlock()
		sub.end()
	}
}

func (s *subscribers) publish(c listing.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.list {
		sub.put(c)
	}
}

// subscriber is the queue of one reader. A change is joined with an undelivered change of the same
// tunnel, so the queue is never longer than the number of tunnels.
type subscriber struct {
	f    func(listing.Change)
	mu   sync.Mutex
	more *sync.Cond
	wait []listing.Change
	done bool
}

func (s *subscriber) put(c listing.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.wait) - 1; i >= 0; i-- {
		w := &s.wait[i]
		if c.Kind == listing.GlobalChanged && w.Kind == listing.GlobalChanged {
			w.NewGlobal = c.NewGlobal
			return
		}
		if c.Kind == listing.GlobalChanged || w.Kind == listing.GlobalChanged || nameOf(*w) != nameOf(c) {
			continue
		}
		if c.Kind == listing.Changed && (w.Kind == listing.Changed || w.Kind == listing.Added) {
			w.New = c.New
			return
		}
		break
	}
	s.wait = append(s.wait, c)
	s.more.Signal()
}

func (s *subscriber) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	s.more.Signal()
}

func (s *subscriber) deliver() {
	for {
		s.mu.Lock()
		for len(s.wait) == 0 && !s.done {
			s.more.Wait()
		}
		if s.done {
			s.mu.Unlock()
			return
		}
		c := s.wait[0]
		s.wait = s.wait[1:]
		s.mu.Unlock()
		s.f(c)
	}
}

// nameOf is the name of the tunnel that a change is about.
func nameOf(c listing.Change) string {
	if c.Kind == listing.Removed {
		return c.Old.Name
	}
	return c.New.Name
}
