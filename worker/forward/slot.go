package forward

// Slot is a place for one link among those in use at once. One link may follow another there.
type Slot struct {
	set    *Set
	closed bool // guarded by Set.mu
}

// Slot is a place for one more link.
func (s *Set) Slot() *Slot { return &Slot{set: s} }

// Close ends the slot: its link gets no new channels, and what runs over it may end by itself.
func (slot *Slot) Close() {
	slot.set.mu.Lock()
	defer slot.set.mu.Unlock()
	slot.close()
}

// CloseIdle is Close where no channel is open on the slot's link, and says whether it is closed.
func (slot *Slot) CloseIdle() bool {
	s := slot.set
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.lanes {
		if n.slot == slot && n.load() > 0 {
			return false
		}
	}
	slot.close()
	return true
}

// close is called with Set.mu held.
func (slot *Slot) close() {
	slot.closed = true
	slot.set.withdraw(func(n *lane) bool {
		if n.slot == slot {
			n.superseded()
		}
		return n.slot == slot
	})
}
