package wire

import (
	"time"

	"golang.org/x/sys/unix"
)

// Progress says how the kernel gets on with what was written: how many bytes the server's
// kernel has acknowledged in all, and how many it has not. False: not a TCP connection of
// this process's.
//
// It tells a slow line, on which a keepalive waits behind what was written before it, from
// one that has died.
func (b *Base) Progress() (acknowledged, queued uint64, ok bool) {
	if b.Conn.raw == nil {
		return 0, 0, false
	}
	var info *unix.TCPInfo
	var waiting int
	var err error
	controlErr := b.Conn.raw.Control(func(fd uintptr) {
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		}
	})
	if controlErr != nil || err != nil {
		return 0, 0, false
	}
	return info.Bytes_acked, uint64(waiting), true
}

// minRTT is the shortest round trip to the server that the kernel has seen lately; 0: not a TCP
// connection of this process's.
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

// Line is what the kernel knows of the way to the server: the shortest round trip lately, and how
// many packets were sent again or came after one that is missing. False: not a TCP connection of
// this process's.
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
