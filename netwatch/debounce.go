package netwatch

import "time"

const (
	// offlineDelay is how long the network, or its primary connection, must be missing before that
	// is published. A change of the access point, or from a cable to Wi-Fi, takes less.
	offlineDelay = 400 * time.Millisecond
	// checkDelay is how long NetworkManager may check for a captive portal before a network counts
	// as perhaps online.
	checkDelay = 2 * time.Second
)

// debounce decides when a snapshot is published. It has no clock of its own.
type debounce struct {
	published Network // last
	any       bool    // something was published
	next      Network // to be published at until
	until     time.Time
	delay     time.Duration // of next: 0, offlineDelay or checkDelay
}

// offer takes the latest snapshot. A worse one than the published one is delayed, any other is due
// at once.
func (s *debounce) offer(n Network, checking bool, now time.Time) {
	var delay time.Duration
	switch reachable := s.any && s.published.Perhaps(); {
	case s.any && n.Equal(s.published):
		s.delay, s.until = 0, time.Time{}
		return
	case reachable && (!n.Perhaps() || n.Primary == Connection{} && s.published.Primary != Connection{}):
		// A network that is online without a connection is about to be offline, or to get another
		// connection.
		delay = offlineDelay
	case !reachable && n.Perhaps() && checking:
		delay = checkDelay
	}
	s.next = n
	if delay == s.delay && !s.until.IsZero() && delay != 0 {
		return // the same change goes on: its delay has begun already
	}
	s.delay, s.until = delay, now.Add(delay)
}

// due returns the snapshot that is due to be published, if any.
func (s *debounce) due(now time.Time) (n Network, ok bool) {
	if s.until.IsZero() || now.Before(s.until) {
		return Network{}, false
	}
	s.published, s.any = s.next, true
	s.delay, s.until = 0, time.Time{}
	return s.published, true
}
