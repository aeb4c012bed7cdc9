package wire

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls below do not tell Go's scheduler about themselves, so they must not block. They
// are what an idle link makes. The first ordinary system call after a wait wakes the runtime's
// monitor, a thread that then looks around some twenty times, which costs more than a keepalive. A
// link with traffic makes ordinary system calls too, at its forwards, and has its monitor.

// rawWrite is write(2).
func rawWrite(fd uintptr, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return rawResult(n, errno)
}

// rawReadv is readv(2) into two buffers.
func rawReadv(fd uintptr, a, b []byte) (int, error) {
	vec := [2]unix.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	vec[0].SetLen(len(a))
	vec[1].SetLen(len(b))
	n, _, errno := unix.RawSyscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(&vec)), uintptr(len(vec)))
	return rawResult(n, errno)
}

func rawResult(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// rawQuickAck is setsockopt(2) with TCP_QUICKACK, see tcp(7).
func rawQuickAck(fd uintptr) {
	on := int32(1)
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK,
		uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
}

// rawProgress is how many bytes a socket's peer has acknowledged, and how many it has not: TCP_INFO
// and SIOCOUTQ, see tcp(7).
func rawProgress(fd uintptr) (acknowledged, queued uint64, ok bool) {
	var info unix.TCPInfo
	var waiting int32
	length := uint32(unsafe.Sizeof(info))
	_, _, infoErr := unix.RawSyscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
	_, _, queueErr := unix.RawSyscall(unix.SYS_IOCTL, fd, unix.SIOCOUTQ, uintptr(unsafe.Pointer(&waiting)))
	return info.Bytes_acked, uint64(waiting), infoErr == 0 && queueErr == 0
}
