package sockets

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// OwnPeer says whether the process at the other end of a connection is of the user that this
// process runs as. A peer on another machine is not. A socket that the client has closed already
// has no owner and may have been anybody's, so the answer is no.
func OwnPeer(c net.Conn) bool {
	var uid uint32
	var err error
	switch c := c.(type) {
	case *net.UnixConn:
		uid, err = PeerUID(c)
	case *net.TCPConn:
		client, server := addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())
		if !client.Addr().IsLoopback() {
			return false
		}
		uid, err = tcpOwner(client, server)
	default:
		return false
	}
	return err == nil && uid == uint32(os.Getuid())
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// tcpOwner returns the uid that owns the local socket with these addresses. It asks sock_diag(7).
// If that fails, it reads /proc/net/tcp.
func tcpOwner(local, remote netip.AddrPort) (uint32, error) {
	uid, err := diagOwner(local, remote)
	if err != nil && !errors.Is(err, errNoOwner) {
		uid, err = procOwner(local, remote)
	}
	return uid, err
}

// errNoOwner means that no process has the socket any more. The kernel reports uid 0 for it.
var errNoOwner = errors.New("the client has closed its socket")

func procOwner(local, remote netip.AddrPort) (uint32, error) {
	for s := range TCP() {
		if s.Local == local && s.Remote == remote {
			if s.Inode == "0" {
				return 0, errNoOwner
			}
			uid, err := strconv.ParseUint(s.UID, 10, 32)
			return uint32(uid), err
		}
	}
	return 0, unix.ENOENT
}

// diagOwner asks for one socket by its addresses. An IPv4 connection may belong to an
// IPv6 socket, under mapped addresses, so both families are tried for it.
func diagOwner(local, remote netip.AddrPort) (uint32, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	families := []uint8{unix.AF_INET6}
	if local.Addr().Is4() {
		families = []uint8{unix.AF_INET, unix.AF_INET6}
	}
	for _, family := range families {
		var uid uint32
		if uid, err = askDiag(fd, family, local, remote); err == nil || errors.Is(err, errNoOwner) {
			return uid, err
		}
	}
	return 0, err
}

// askDiag sends one struct inet_diag_req_v2 and reads one struct inet_diag_msg
// (linux/inet_diag.h).
func askDiag(fd int, family uint8, local, remote netip.AddrPort) (uint32, error) {
	const (
		headerSize  = unix.NLMSG_HDRLEN
		requestSize = headerSize + 8 + 48
		uidOffset   = headerSize + 4 + 48 + 12
		inodeOffset = uidOffset + 4
	)
	request := make([]byte, requestSize)
	native := binary.NativeEndian
	native.PutUint32(request, requestSize)
	native.PutUint16(request[4:], unix.SOCK_DIAG_BY_FAMILY)
	native.PutUint16(request[6:], unix.NLM_F_REQUEST)
	body := request[headerSize:]
	body[0] = family
	body[1] = unix.IPPROTO_TCP
	native.PutUint32(body[4:], ^uint32(0)) // in any state
	id := body[8:]                         // struct inet_diag_sockid: ports, addresses, interface, cookie
	binary.BigEndian.PutUint16(id, local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	putDiagAddr(id[4:20], family, local.Addr())
	putDiagAddr(id[20:36], family, remote.Addr())
	for i := range 8 {
		id[40+i] = 0xff // INET_DIAG_NOCOOKIE
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	var reply [512]byte
	n, _, err := unix.Recvfrom(fd, reply[:], 0)
	switch {
	case err != nil:
		return 0, err
	case n >= headerSize+4 && native.Uint16(reply[4:]) == unix.NLMSG_ERROR:
		return 0, syscall.Errno(-int32(native.Uint32(reply[headerSize:])))
	case n < inodeOffset+4:
		return 0, unix.EBADMSG
	case binary.BigEndian.Uint16(reply[headerSize+4+2:]) != remote.Port():
		return 0, unix.ENOENT // the kernel has answered with a listener instead
	case native.Uint32(reply[inodeOffset:]) == 0:
		return 0, errNoOwner
	}
	return native.Uint32(reply[uidOffset:]), nil
}

func putDiagAddr(to []byte, family uint8, a netip.Addr) {
	if family == unix.AF_INET {
		ip := a.As4()
		copy(to, ip[:])
		return
	}
	ip := a.As16() // for IPv4, the mapped form
	copy(to, ip[:])
}
