package forward

import "slices"

// full says whether as many channels are in use as MaxChannels allows. s.mu is held.
func (s *Set) full() bool {
	limit := s.config.Load().MaxChannels
	return limit > 0 && s.channels >= limit
}

// take is laneFor, with a channel counted on it until give. nil: there is no lane for the
// visitor, or no channel to be had.
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

// takeRemote counts a channel that came in on a lane, unless there are as many as may be.
func (s *Set) takeRemote(n *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		return false
	}
	s.count(n)
	return true
}

// count notes one more channel on a lane. s.mu is held.
func (s *Set) count(n *lane) {
	s.channels++
	s.counted++
	n.chosen = s.counted
	n.enter()
	s.wakeSampler()
}

// give is the end of a channel. The visitor that has waited longest gets its place.
func (s *Set) give(n *lane) {
	n.leave()
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

// crowded says whether even waiting is no longer allowed: what connects now would take the
// descriptors that the tunnel keeps for itself.
func (s *Set) crowded() bool {
	c := s.config.Load()
	return c.MaxChannels > 0 && s.busy.Load() >= int64(c.MaxChannels+c.MaxHeld)
}
