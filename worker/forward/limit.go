package forward

import "slices"

// full says whether MaxChannels are in use. s.mu is held.
func (s *Set) full() bool {
	limit := s.config.Load().MaxChannels
	return limit > 0 && s.channels >= limit
}

// take returns a lane for the visitor, and counts a channel on it until give. It returns nil if there is no
// lane for the visitor, or MaxChannels are in use.
func (s *Set) take(v *visitor) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		return nil
	}
	n := s.laneFor(v)
	if n != nil {
		s.count(n)
	}
	return n
}

// takeRemote counts a channel that the server opened on a lane. It returns false if MaxChannels are in use.
func (s *Set) takeRemote(n *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		return false
	}
	s.count(n)
	return true
}

// count counts one more channel on a lane. s.mu is held.
func (s *Set) count(n *lane) {
	s.channels++
	s.counted++
	n.chosen = s.counted
	n.channels.Add(1)
	s.wakeSampler()
}

// give ends the count of a channel. If the Set was full, the visitor that has waited longest may go on.
func (s *Set) give(n *lane) {
	n.channels.Add(-1)
	s.wakeSampler()
	s.mu.Lock()
	wasFull := s.full()
	s.channels--
	var next *visitor
	if wasFull {
		i := slices.IndexFunc(s.pending.waiting, func(v *visitor) bool { return s.laneFor(v) != nil })
		if i >= 0 {
			next = s.pending.waiting[i]
			s.pending.waiting = slices.Delete(s.pending.waiting, i, i+1)
		}
	}
	s.mu.Unlock()
	if next != nil {
		s.running.Go(func() { s.serve(next, nil) })
	}
}

// crowded says whether a new connection may not even wait, because it would use descriptors that are
// reserved for the tunnel itself.
func (s *Set) crowded() bool {
	c := s.config.Load()
	return c.MaxChannels > 0 && s.busy.Load() >= int64(c.MaxChannels+c.MaxHeld)
}
