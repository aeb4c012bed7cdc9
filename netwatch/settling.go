package netwatch

import "time"

const (
	// offlineSettle is how long the network, or its primary connection, must stay away
	// before that is told: moving from one access point to another, or from a cable to
	// Wi-Fi, is over by then.
	offlineSettle = 400 * time.Millisecond
	// checkSettle is how long NetworkManager may take to find out whether there is a
	// captive portal before a network that it has not checked counts as perhaps online.
	checkSettle = 2 * time.Second
)

// settling decides when a snapshot is told. It is a value with no clock of its own.
type settling struct {
	told  Network // last
	any   bool    // told is one
	next  Network // to be told at until
	until time.Time
	kind  settleKind
}

type settleKind int

const (
	settled settleKind = iota
	goingOffline
	beingChecked
)

// offer takes the latest snapshot. What is worse than before waits; what is better, or
// other but no worse, is due at once.
func (s *settling) offer(n Network, checking bool, now time.Time) {
	kind := settled
	switch reachable := s.any && s.told.Perhaps(); {
	case s.any && n.Equal(s.told):
		s.kind, s.until = settled, time.Time{}
		return
	case reachable && (!n.Perhaps() || n.Primary == Connection{} && s.told.Primary != Connection{}):
		// Without its connection a network that is called online is about to be
		// offline, or on another connection.
		kind = goingOffline
	case !reachable && n.Perhaps() && checking:
		kind = beingChecked
	}
	s.next = n
	if kind == s.kind && !s.until.IsZero() && kind != settled {
		return // it goes on; the clock runs since it began
	}
	s.kind = kind
	switch kind {
	case goingOffline:
		s.until = now.Add(offlineSettle)
	case beingChecked:
		s.until = now.Add(checkSettle)
	default:
		s.until = now
	}
}

// due gives the snapshot whose time to be told has come.
func (s *settling) due(now time.Time) (n Network, ok bool) {
	if s.until.IsZero() || now.Before(s.until) {
		return Network{}, false
	}
	s.told, s.any = s.next, true
	s.kind, s.until = settled, time.Time{}
	return s.told, true
}
