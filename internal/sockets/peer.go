package sockets

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// PeerUID returns the user of the process at the other end of a unix socket: who connected, or
// who listens (SO_PEERCRED, unix(7)).
func PeerUID(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return peer.Uid, nil
}
