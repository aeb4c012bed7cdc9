package worker

import (
	"cmp"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/tunnelfile"
)

// ownDescriptors is how many file descriptors are reserved for the tunnel itself: its log, the
// report socket, an agent, a login under way, commands. Two for each SSH connection and one for
// each listener come on top.
const ownDescriptors = 64

// channelLimits computes how many connections may run through the tunnel (channels) and how many may
// wait for a link (pending), so that the reserved descriptors stay free. descriptors is the
// limit of the process. Pending connections get at most half of the rest.
func channelLimits(t tunnelfile.Tunnel, transport tunnelfile.Transport, listeners int, descriptors uint64) (channels, pending int) {
	connections := cmp.Or(t.Connections, tunnelfile.MaxAutoConnections)
	room := int(min(descriptors, 1<<20)) - ownDescriptors - 2*connections - listeners
	room = max(room, 16)
	pending = min(t.MaxHeld, room/2)
	channels = room - pending
	if transport == tunnelfile.TransportOpenSSH {
		channels /= 2 // ssh's end is a socket too
	}
	if t.MaxChannels > 0 {
		channels = min(channels, t.MaxChannels)
	}
	return channels, pending
}

// descriptors is how many files this process may have open (RLIMIT_NOFILE of getrlimit(2)).
func descriptors() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 1024
	}
	return limit.Cur
}

// warnLimits logs a warning if LimitNOFILE= allows fewer channels than MaxChannels= asks for.
func (w *worker) warnLimits(s settings) {
	c := s.forwards()
	if asked := s.tunnel.MaxChannels; asked > c.MaxChannels {
		w.log.Warn("LimitNOFILE= is too low for MaxChannels=", "asked", asked, "allowed", c.MaxChannels)
	}
}
