package wire

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawProgress is how many bytes a socket's peer has acknowledged, and how many it has not: TCP_INFO
// and SIOCOUTQ, see tcp(7). An idle link asks with each keepalive. So these system calls, which do not
// block, do not wake the runtime's monitor thread, see package socketio.
func rawProgress(fd uintptr) (acknowledged, queued uint64, ok bool) {
	var info unix.TCPInfo
	var waiting int32
	length := uint32(unsafe.Sizeof(info))
	_, _, infoErr := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
	_, _, queueErr := unix.RawSyscall(unix.SYS_IOCTL, fd, unix.SIOCOUTQ, uintptr(unsafe.Pointer(&waiting)))
	return info.Bytes_acked, uint64(waiting), infoErr == 0 && queueErr == 0
}
