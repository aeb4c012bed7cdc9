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
	kind      delayKind
}

type delayKind int

const (
	notDelayed delayKind = iota
	goingOffline
	beingChecked
)

// offer takes the latest snapshot. A worse one than the published one is delayed, any other is due
// at once.
func (s *debounce) offer(n Network, checking bool, now time.Time) {
	kind := notDelayed
	switch reachable := s.any && s.published.Perhaps(); {
	case s.any && n.Equal(s.published):
		s.kind, s.until = notDelayed, time.Time{}
		return
	case reachable && (!n.Perhaps() || n.Primary == Connection{} && s.published.Primary != Connection{}):
		// A network that is online without a connection is about to be offline, or to get another
		// connection.
		kind = goingOffline
	case !reachable && n.Perhaps() && checking:
		kind = beingChecked
	}
	s.next = n
	if kind == s.kind && !s.until.IsZero() && kind != notDelayed {
		return // the same change goes on: its delay has begun already
	}
	s.kind = kind
	switch kind {
	case goingOffline:
		s.until = now.Add(offlineDelay)
	case beingChecked:
		s.until = now.Add(checkDelay)
	default:
		s.until = now
	}
}

// due returns the snapshot that is due to be published, if any.
func (s *debounce) due(now time.Time) (n Network, ok bool) {
	if s.until.IsZero() || now.Before(s.until) {
		return Network{}, false
	}
	s.published, s.any = s.next, true
	s.kind, s.until = notDelayed, time.Time{}
	return s.published, true
}
