package forward

// Slot has room for one link at a time, see [Slot.Use]. A Set has one slot for each SSH connection.
type Slot struct {
	set    *Set
	closed bool // guarded by Set.mu
}

// Slot makes a slot for one more link.
func (s *Set) Slot() *Slot { return &Slot{set: s} }

// Close closes the slot. Its link gets no new channels, and drains.
func (slot *Slot) Close() {
	slot.set.mu.Lock()
	defer slot.set.mu.Unlock()
	slot.close()
}

// CloseIdle closes the slot if no channel is open on its link. It returns whether it did.
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

// close is Close. Set.mu is held.
func (slot *Slot) close() {
	slot.closed = true
	slot.set.withdraw(func(n *lane) bool {
		if n.slot == slot {
			n.superseded()
		}
		return n.slot == slot
	})
}
