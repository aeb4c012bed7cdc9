package forward

import (
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sweepInterval is how often held connections are looked at, while there are any, for
// clients that gave up.
const sweepInterval = time.Second

// hold is where visitors wait for a link. Its fields are guarded by Set.mu. One timer
// serves them all.
type hold struct {
	waiting []*visitor // in order of arrival
	timer   *time.Timer
}

// park holds v until the next link, or resets it where it may not wait, and returns
// true. It returns false, v being left alone, if there is a link for it already.
func (s *Set) park(v *visitor) bool {
	c := s.config.Load()
	s.mu.Lock()
	if s.laneFor(v) != nil {
		s.mu.Unlock()
		return false
	}
	if v.until.IsZero() {
		v.until = time.Now().Add(c.HoldTimeout)
	}
	var gone []*visitor
	if len(s.held.waiting) >= c.MaxHeld {
		gone = s.held.makeRoom()
	}
	switch {
	case s.closed, s.refusing != "", !time.Now().Before(v.until), len(s.held.waiting) >= c.MaxHeld:
		gone = append(gone, v)
	default:
		s.held.add(v)
		s.armHold()
	}
	s.mu.Unlock()
	s.dismissAll(gone)
	return true
}

func (s *Set) dismissAll(visitors []*visitor) {
	for _, v := range visitors {
		reset(v.conn)
		s.leave()
	}
}

// add keeps the order: one that comes back from a link that died goes before those
// that came after it.
func (h *hold) add(v *visitor) {
	i := len(h.waiting)
	for i > 0 && h.waiting[i-1].number > v.number {
		i--
	}
	h.waiting = slices.Insert(h.waiting, i, v)
}

// take empties the hold.
func (h *hold) take() []*visitor {
	all := h.waiting
	h.waiting = nil
	return all
}

// remove takes out the visitors that match.
func (h *hold) remove(match func(*visitor) bool) []*visitor {
	var gone, kept []*visitor
	for _, v := range h.waiting {
		if match(v) {
			gone = append(gone, v)
		} else {
			kept = append(kept, v)
		}
	}
	h.waiting = kept
	return gone
}

// armHold sets the timer for the next look at the held. s.mu is held.
func (s *Set) armHold() {
	if len(s.held.waiting) == 0 {
		return
	}
	wait := sweepInterval
	for _, v := range s.held.waiting {
		wait = min(wait, time.Until(v.until))
	}
	if s.held.timer == nil {
		s.held.timer = time.AfterFunc(wait, s.lookAtHeld)
	} else {
		s.held.timer.Reset(wait)
	}
}

// lookAtHeld is the timer's function.
func (s *Set) lookAtHeld() {
	now := time.Now()
	s.mu.Lock()
	gone := s.held.remove(func(v *visitor) bool { return !now.Before(v.until) })
	if n := len(gone); n > 0 {
		s.log.Info("held connections reset: no SSH connection in time", "connections", n)
	}
	gone = append(gone, s.held.sweep()...)
	s.armHold()
	s.mu.Unlock()
	s.dismissAll(gone)
}

// sweep takes out visitors whose clients are certainly gone. A TCP client that closed
// its sending side may still want its answer, so of TCP clients just those count that
// reset their connection.
func (h *hold) sweep() []*visitor {
	events := h.events()
	return h.remove(func(v *visitor) bool { return events[v]&(unix.POLLERR|unix.POLLHUP) != 0 })
}

// makeRoom is sweep for a hold that is full. Where that finds nobody, the place of the
// first one that sends no more is given to another: most of those have given up.
func (h *hold) makeRoom() []*visitor {
	if gone := h.sweep(); len(gone) > 0 {
		return gone
	}
	events := h.events()
	taken := false
	return h.remove(func(v *visitor) bool {
		leaves := !taken && events[v]&unix.POLLRDHUP != 0
		taken = taken || leaves
		return leaves
	})
}

// events are what poll(2) says of the held connections.
func (h *hold) events() map[*visitor]int16 {
	fds := make([]unix.PollFd, len(h.waiting))
	for i, v := range h.waiting {
		fds[i] = unix.PollFd{Fd: -1, Events: unix.POLLRDHUP}
		c, ok := v.conn.(syscall.Conn)
		if !ok {
			continue
		}
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { fds[i].Fd = int32(fd) })
		}
	}
	events := make(map[*visitor]int16)
	if n, err := unix.Poll(fds, 0); n <= 0 || err != nil {
		return events
	}
	for i, v := range h.waiting {
		events[v] = fds[i].Revents
	}
	return events
}

// release serves those that were held, in order: each is about to open its channel
// before the next one starts, and none waits for another's answer.
func (s *Set) release(visitors []*visitor) {
	for _, v := range visitors {
		opening := make(chan struct{})
		s.running.Go(func() { s.serve(v, opening) })
		<-opening
	}
}
