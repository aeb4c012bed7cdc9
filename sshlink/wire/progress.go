package wire

import (
	"time"

	"golang.org/x/sys/unix"
)

// Progress is how many of the bytes written the server's kernel has acknowledged, and how many it
// has not. ok is false if the link is not a TCP connection of this process.
//
// It shows the difference between a slow line, on which a keepalive waits behind earlier data, and
// a dead one.
func (b *Base) Progress() (acknowledged, queued uint64, ok bool) {
	if b.Conn.raw == nil {
		return 0, 0, false
	}
	b.Conn.raw.Control(func(fd uintptr) { acknowledged, queued, ok = rawProgress(fd) })
	return acknowledged, queued, ok
}

// minRTT is the shortest recent round trip to the server, as the kernel measures it. It is 0 if the
// link is not a TCP connection of this process.
func (b *Base) minRTT() (trip time.Duration) {
	if b.Conn.raw == nil {
		return 0
	}
	b.Conn.raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			trip = time.Duration(info.Min_rtt) * time.Microsecond
		}
	})
	return trip
}

// Line is what the kernel knows about the way to the server: the shortest recent round trip, and
// how many packets were sent again or came out of order. ok is false if the link is not a TCP
// connection of this process.
func (b *Base) Line() (minRTT time.Duration, lost uint64, ok bool) {
	if b.Conn.raw == nil {
		return 0, 0, false
	}
	b.Conn.raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			minRTT, ok = time.Duration(info.Min_rtt)*time.Microsecond, true
			lost = uint64(info.Total_retrans) + uint64(info.Rcv_ooopack)
		}
	})
	return minRTT, lost, ok
}
