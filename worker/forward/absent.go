package forward

import "time"

// How long to wait before a local listener that could not be opened is tried again. Nothing signals when
// the other process frees the address.
const (
	firstAbsence = 2 * time.Second
	lastAbsence  = time.Minute
)

// absence says why the forward does not listen; "" if it does. A forward can be absent only with
// ExitOnForwardFailure=no.
func (f *forward) absence() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.absent
}

func (f *forward) setAbsence(why string) {
	f.mu.Lock()
	f.absent = why
	f.mu.Unlock()
}

// awaitAbsent sets a timer to open absent forwards after delay. The delays grow up to lastAbsence.
// s.applying is held.
func (s *Set) awaitAbsent(delay time.Duration) {
	if s.absentTimer != nil {
		s.absentTimer.Stop()
	}
	for _, f := range s.forwards {
		if f.absence() != "" {
			s.absentTimer = time.AfterFunc(delay, func() { s.openAbsent(min(2*delay, lastAbsence)) })
			return
		}
	}
}

// openAbsent is the timer's function. It opens those absent forwards that can listen now. next is the
// delay for the others.
func (s *Set) openAbsent(next time.Duration) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	c := s.config.Load()
	changed := false
	for _, f := range s.forwards {
		before := f.absence()
		if before == "" {
			continue
		}
		ports, err := openPorts(f.settings(), c)
		if err != nil {
			f.setAbsence(err.Why())
			changed = changed || err.Why() != before
			continue
		}
		f.setAbsence("")
		s.adoptPorts(f, ports)
		s.log.Info("listens now", "forward", f.String())
		changed = true
	}
	s.awaitAbsent(next)
	if changed {
		s.changed()
	}
}

// adoptPorts gives a forward the listeners that were opened late. If the Set has been closed it closes
// them.
func (s *Set) adoptPorts(f *forward, ports []*port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		closePorts(ports)
		return
	}
	s.storePorts(ports)
	for _, p := range ports {
		p.owner.Store(f)
		s.running.Go(func() { p.accept(s) })
	}
	f.ports = ports
}
