package forward

import (
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sweepInterval is how often pending connections are checked for clients that gave up.
const sweepInterval = time.Second

// pendingQueue is the queue of visitors that wait for a link. Set.mu guards its fields. One timer serves all
// visitors.
type pendingQueue struct {
	waiting []*visitor // in order of arrival
	timer   *time.Timer
}

// park queues v until the next link, or resets it if it may not wait; then it returns true. If there is
// already a link for v, it returns false and does nothing.
func (s *Set) park(v *visitor) bool {
	c := s.config.Load()
	s.mu.Lock()
	if !s.full() && s.laneFor(v) != nil {
		s.mu.Unlock()
		return false
	}
	if v.until.IsZero() {
		v.until = time.Now().Add(c.HoldTimeout)
	}
	var gone []*visitor
	if len(s.pending.waiting) >= c.MaxHeld {
		gone = s.pending.makeRoom()
	}
	switch {
	case s.closed && !s.handedOver, s.refusing.text != "", !time.Now().Before(v.until), len(s.pending.waiting) >= c.MaxHeld:
		gone = append(gone, v)
	default:
		s.pending.add(v)
		s.armPending()
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

// add queues a visitor in the order of arrival. A visitor that comes back from a lost link goes before those
// that arrived later.
func (q *pendingQueue) add(v *visitor) {
	i := len(q.waiting)
	for i > 0 && q.waiting[i-1].number > v.number {
		i--
	}
	q.waiting = slices.Insert(q.waiting, i, v)
}

// take empties the queue.
func (q *pendingQueue) take() []*visitor {
	all := q.waiting
	q.waiting = nil
	return all
}

// remove takes the visitors that match out of the queue, and returns them.
func (q *pendingQueue) remove(match func(*visitor) bool) []*visitor {
	var gone, kept []*visitor
	for _, v := range q.waiting {
		if match(v) {
			gone = append(gone, v)
		} else {
			kept = append(kept, v)
		}
	}
	q.waiting = kept
	return gone
}

// armPending sets the timer for the next look at the queue. s.mu is held.
func (s *Set) armPending() {
	if len(s.pending.waiting) == 0 {
		return
	}
	wait := sweepInterval
	for _, v := range s.pending.waiting {
		wait = min(wait, time.Until(v.until))
	}
	if s.pending.timer == nil {
		s.pending.timer = time.AfterFunc(wait, s.lookAtPending)
	} else {
		s.pending.timer.Reset(wait)
	}
}

// lookAtPending is the timer's function. It resets visitors that have waited too long or whose clients
// are gone.
func (s *Set) lookAtPending() {
	now := time.Now()
	s.mu.Lock()
	gone := s.pending.remove(func(v *visitor) bool { return !now.Before(v.until) })
	if n := len(gone); n > 0 {
		why := "no SSH connection in time"
		if s.first() != nil && s.full() {
			why = "as many as MaxChannels= allows are open"
		}
		s.log.Info("pending connections reset: "+why, "connections", n)
	}
	gone = append(gone, s.pending.sweep()...)
	s.armPending()
	s.mu.Unlock()
	s.dismissAll(gone)
}

// sweep takes out visitors whose clients are certainly gone. A TCP client that closed its sending side
// may still wait for an answer, so a TCP client counts as gone only after a reset.
func (q *pendingQueue) sweep() []*visitor {
	events := q.events()
	return q.remove(func(v *visitor) bool { return events[v]&(unix.POLLERR|unix.POLLHUP) != 0 })
}

// makeRoom is sweep for a full queue. If no client is certainly gone, it takes out the first visitor
// whose client has closed its sending side: most such clients have given up.
func (q *pendingQueue) makeRoom() []*visitor {
	if gone := q.sweep(); len(gone) > 0 {
		return gone
	}
	events := q.events()
	taken := false
	return q.remove(func(v *visitor) bool {
		leaves := !taken && events[v]&unix.POLLRDHUP != 0
		taken = taken || leaves
		return leaves
	})
}

// events are the results of poll(2) for the pending connections.
func (q *pendingQueue) events() map[*visitor]int16 {
	fds := make([]unix.PollFd, len(q.waiting))
	for i, v := range q.waiting {
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
	for i, v := range q.waiting {
		events[v] = fds[i].Revents
	}
	return events
}

// releaseAll serves the pending visitors if there is a link and a free channel.
func (s *Set) releaseAll() {
	s.mu.Lock()
	var waiting []*visitor
	if s.first() != nil && !s.full() {
		waiting = s.pending.take()
	}
	s.mu.Unlock()
	s.release(waiting)
}

// release serves visitors in order. Each is about to open its channel before the next one starts, but
// none waits for the answer to another.
func (s *Set) release(visitors []*visitor) {
	for _, v := range visitors {
		opening := make(chan struct{})
		s.running.Go(func() { s.serve(v, opening) })
		<-opening
	}
}
