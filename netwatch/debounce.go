package netwatch

import "time"

const (
	// offlineDelay is how long the network, or its primary connection, must stay away
	// before that is published: moving from one access point to another, or from a cable to
	// Wi-Fi, is over by then.
	offlineDelay = 400 * time.Millisecond
	// checkDelay is how long NetworkManager may take to find out whether there is a
	// captive portal before a network that it has not checked counts as perhaps online.
	checkDelay = 2 * time.Second
)

// debounce decides when a snapshot is published. It is a value with no clock of its own.
type debounce struct {
	published Network // last
	any       bool    // published is one
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

// offer takes the latest snapshot. What is worse than before waits; what is better, or
// other but no worse, is due at once.
func (s *debounce) offer(n Network, checking bool, now time.Time) {
	kind := notDelayed
	switch reachable := s.any && s.published.Perhaps(); {
	case s.any && n.Equal(s.published):
		s.kind, s.until = notDelayed, time.Time{}
		return
	case reachable && (!n.Perhaps() || n.Primary == Connection{} && s.published.Primary != Connection{}):
		// Without its connection a network that is called online is about to be
		// offline, or on another connection.
		kind = goingOffline
	case !reachable && n.Perhaps() && checking:
		kind = beingChecked
	}
	s.next = n
	if kind == s.kind && !s.until.IsZero() && kind != notDelayed {
		return // the same change goes on: the delay counts from its beginning
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

// due gives the snapshot that is due to be published.
func (s *debounce) due(now time.Time) (n Network, ok bool) {
	if s.until.IsZero() || now.Before(s.until) {
		return Network{}, false
	}
	s.published, s.any = s.next, true
	s.kind, s.until = notDelayed, time.Time{}
	return s.published, true
}
