package keeper

import "time"

// Times for watching a link.
const (
	stallAfter  = time.Second     // an answer is overdue after this, or after stallRTTs round trips
	stallRTTs   = 4               //
	pingPatient = 2 * time.Second // a ping is overdue after this, or after pingRTTs round trips
	pingRTTs    = 8               //
)

// silence is what the watcher knows of a link.
type silence struct {
	received   time.Time     // when the last byte came
	unanswered time.Time     // when the first byte after that was written; zero: none was
	pinged     time.Time     // when the ping under way was sent; zero: there is none
	rtt        time.Duration // last measured; 0: not known yet
	moved      time.Time     // when the kernel's queue before the ping was last seen to shrink; zero: it was not
}

// verdict is what to do about a link.
type verdict int

const (
	well     verdict = iota // nothing
	sendPing                // send a ping
	suspect                 // dial another beside it
	dead                    // close it
)

// judge says what to do about a link, and when to look again after that; the zero time means when
// something happens.
//
// A ping is sent after ServerAliveInterval of silence, or when something was written and nothing has come
// back for too long. A link is dead after ServerAliveInterval × ServerAliveCountMax without a byte, but
// not before a ping: after a process was stopped, or a machine slept, all times are old.
func (p Policy) judge(s silence, now time.Time) (verdict, time.Time) {
	if s.pinged.IsZero() {
		var at time.Time
		if p.ServerAliveInterval > 0 {
			at = s.received.Add(p.ServerAliveInterval)
		}
		if !s.unanswered.IsZero() {
			at = earlier(at, s.unanswered.Add(max(stallAfter, stallRTTs*s.rtt)))
		}
		if !at.IsZero() && !now.Before(at) {
			return sendPing, now
		}
		return well, at
	}
	asked := s.pinged
	if s.received.After(asked) {
		asked = s.received // data came, and the answer is behind it
	}
	if s.moved.After(asked) {
		asked = s.moved // a slow line: the ping has not been transmitted yet
	}
	overdue := asked.Add(max(pingPatient, pingRTTs*s.rtt))
	if now.Before(overdue) {
		return well, overdue
	}
	if p.ServerAliveInterval == 0 {
		return suspect, time.Time{}
	}
	end := s.received.Add(p.ServerAliveInterval * time.Duration(max(p.ServerAliveCountMax, 2)))
	if now.Before(end) {
		return suspect, end
	}
	return dead, time.Time{}
}

// earlier is the earlier of two times. a may be zero for "never".
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// smoothed is the round trip to use after a new measurement. It doubles at most, because an answer that
// came after a stall does not show how far away the server is.
func smoothed(before, measured time.Duration) time.Duration {
	if before > 0 {
		return min(measured, 2*before)
	}
	return measured
}

// queue is the data before a ping in the kernel's send queue.
type queue struct {
	acknowledged uint64 // bytes acknowledged at the last look
	end          uint64 // bytes acknowledged when the ping is next
}

// queueBefore returns the queue before a ping that is about to be sent.
func queueBefore(l Link) queue {
	acknowledged, queued, _ := l.Progress()
	return queue{acknowledged, acknowledged + queued}
}

// moves says whether the queue before the ping is shorter than at the last look, and not yet empty.
func (q *queue) moves(l Link) bool {
	before := q.acknowledged
	acknowledged, _, ok := l.Progress()
	q.acknowledged = acknowledged
	return ok && acknowledged > before && acknowledged < q.end
}
