package forward

import (
	"net"
	"time"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/worker/socks"
)

// visitor is a local connection that has no channel yet.
type visitor struct {
	forward *forward
	conn    net.Conn
	target  target         // zero until a SOCKS client has asked
	socks   *socks.Request // nil unless the forward is SOCKS and its client has asked
	head    []byte         // the data after a SOCKS request
	number  uint64         // order of arrival
	until   time.Time      // when a pending visitor is reset; zero until it first waits
	failed  []*lane        // the lanes that could not open its channel
	turn    uint64         // the value of Set.turn for which failed is valid
}

// arrive handles a new connection from an accept loop. It never blocks.
func (s *Set) arrive(f *forward, conn net.Conn) {
	if s.crowded() {
		f.turnAway(&f.surplus)
		reset(conn)
		return
	}
	if s.config.Load().AllowUsers == "self" && !sockets.OwnPeer(conn) {
		f.turnAway(&f.strangers)
		reset(conn)
		return
	}
	v := &visitor{forward: f, conn: conn, number: s.arrivals.Add(1)}
	s.busy.Add(1)
	if !s.linked() && s.park(v) {
		return
	}
	s.running.Go(func() { s.serve(v, nil) })
}

// serve connects a visitor to its target and carries its bytes, or parks it again. It closes opening, if
// that is not nil, when it is about to open the channel or will not open one.
func (s *Set) serve(v *visitor, opening chan<- struct{}) {
	announce := func() {
		if opening != nil {
			close(opening)
			opening = nil
		}
	}
	defer announce()
	spec := v.forward.settings()
	switch {
	case !spec.SOCKS():
		v.target = targetOf(spec.Target)
	case v.socks == nil:
		announce() // the client may be slow, and the next visitors do not wait for it
		request, head, err := socks.Negotiate(v.conn)
		if err != nil {
			s.log.Debug("SOCKS client turned away", "forward", v.forward.String(), "error", err)
			s.dismiss(v)
			return
		}
		v.socks, v.head, v.target = &request, head, target{"tcp", request.Address()}
	}
	for {
		lane := s.take(v)
		if lane == nil {
			if s.park(v) {
				return
			}
			continue
		}
		announce()
		channel, err := lane.open(v.target)
		switch {
		case err == nil:
			s.connect(v, lane, channel)
			s.give(lane)
			return
		case TurnedDown(err):
			s.give(lane)
			v.forward.refuse(v.target, err)
			if v.socks != nil {
				v.socks.Deny(v.conn, classify(err))
			}
			s.dismiss(v)
			return
		}
		s.log.Debug("channel not opened, the link is to blame", "forward", v.forward.String(), "error", err)
		s.give(lane)
		v.failed = append(v.failed, lane)
	}
}

// connect carries the visitor's bytes until both directions have ended.
func (s *Set) connect(v *visitor, n *lane, channel net.Conn) {
	defer s.leave()
	v.forward.opened()
	if v.socks != nil {
		if err := v.socks.Grant(v.conn); err != nil {
			reset(v.conn)
			channel.Close()
			return
		}
	}
	r := relay{forward: v.forward, lane: n, local: v.conn, channel: channel, fromLocal: v.head}
	r.run()
}

// dismiss ends a visitor that gets no channel. A SOCKS client has its reply and sees a clean end; others
// see a reset.
func (s *Set) dismiss(v *visitor) {
	if v.socks != nil {
		v.conn.Close()
	} else {
		reset(v.conn)
	}
	s.leave()
}

// serveRemote serves a connection that arrived on the server.
func (s *Set) serveRemote(f *forward, n *lane, channel net.Conn) {
	defer s.leave()
	local, head, err := s.reach(f, n, channel)
	if err != nil {
		s.log.Debug("remote client turned away", "forward", f.String(), "error", err)
		channel.Close()
		return
	}
	r := relay{forward: f, lane: n, local: local, channel: channel, fromChannel: head}
	r.run()
}

// dialer connects to the targets of remote forwards.
var dialer = net.Dialer{Timeout: 30 * time.Second}

// reach connects to the target of a remote client: the forward's, or the one that the client asks for by
// SOCKS. It also returns the data after the SOCKS request.
func (s *Set) reach(f *forward, n *lane, channel net.Conn) (net.Conn, []byte, error) {
	if spec := f.settings(); !spec.SOCKS() {
		t := targetOf(spec.Target)
		local, err := dialer.DialContext(n.ctx, t.network, t.addr)
		if err != nil {
			f.refuse(t, err)
			return nil, nil, err
		}
		f.opened()
		return local, nil, nil
	}
	request, head, err := socks.Negotiate(channel)
	if err != nil {
		return nil, nil, err
	}
	t := target{"tcp", request.Address()}
	var local net.Conn
	if permitted(s.config.Load().PermitRemoteOpen, request.Host, request.Port) {
		local, err = dialer.DialContext(n.ctx, t.network, t.addr)
	} else {
		err = errForbidden
	}
	if err != nil {
		f.refuse(t, err)
		request.Deny(channel, classify(err))
		return nil, nil, err
	}
	f.opened()
	if err := request.Grant(channel); err != nil {
		local.Close()
		return nil, nil, err
	}
	return local, head, nil
}
