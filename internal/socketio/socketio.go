// Package socketio reads and writes sockets at less cost than package net, where few bytes are moved.
//
// Package net announces read(2) and write(2) to the Go scheduler, because they might block. In a process
// that was idle, the first announced call wakes the runtime's monitor thread. Where a few bytes go to and
// fro, the process is idle after each of them, and the monitor takes a quarter of its CPU time. The sockets
// of package net never block, so the calls here are not announced.
//
// But a busy process needs its monitor thread, which lets other goroutines run. So long reads and writes
// are announced, and so is one call of many in a row that did not wait.
package socketio

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Small is the length in bytes up to which reads and writes should not be announced. While a longer one is in
// the kernel, another goroutine can run.
const Small = 4 << 10

// Streak counts the reads in a row that did not wait.
type Streak int

// Announce says whether the next read is to be announced to the scheduler. waited says whether the last one
// waited.
func (k *Streak) Announce(waited bool) bool {
	if *k++; waited {
		*k = 0
	}
	return *k >= 16
}

// Readv is readv(2), announced or not. The pieces are not empty.
func Readv(fd uintptr, a, b []byte, announced bool) (int, error) {
	var pieces [2]unix.Iovec
	pieces[0].Base, pieces[1].Base = &a[0], &b[0]
	pieces[0].SetLen(len(a))
	pieces[1].SetLen(len(b))
	return call(announced, unix.SYS_READV, fd, unsafe.Pointer(&pieces), len(pieces), 0)
}

// QuickAck sets TCP_QUICKACK, see tcp(7), not announced.
func QuickAck(fd uintptr) {
	yes := int32(1)
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, uintptr(unsafe.Pointer(&yes)), unsafe.Sizeof(yes), 0)
}

// call makes a system call on n bytes, or n elements, at p.
func call(announced bool, number, fd uintptr, p unsafe.Pointer, n int, flags uintptr) (int, error) {
	for {
		var done uintptr
		var errno unix.Errno
		if announced {
			done, _, errno = unix.Syscall6(number, fd, uintptr(p), uintptr(n), flags, 0, 0)
		} else {
			done, _, errno = unix.RawSyscall6(number, fd, uintptr(p), uintptr(n), flags, 0, 0)
		}
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Socket is a socket of package net. One goroutine may read and another may write at the same time.
type Socket struct {
	conn net.Conn
	raw  syscall.RawConn // nil: conn is no socket, and does everything itself
	in   reading
	out  writing
}

// reading is the state of a call of Read.
type reading struct {
	p       []byte
	n       int
	err     error
	waited  bool
	streak  Streak
	attempt func(fd uintptr) bool
}

// writing is the state of a call of Write.
type writing struct {
	rest    []byte
	err     error
	attempt func(fd uintptr) bool
}

// New makes a Socket of a connection. The connection can still be used.
func New(c net.Conn) *Socket {
	s := &Socket{conn: c}
	if c, ok := c.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn()
	}
	s.in.attempt, s.out.attempt = s.in.try, s.out.try
	return s
}

// Read is [net.Conn.Read].
func (s *Socket) Read(p []byte) (int, error) {
	in := &s.in
	if s.raw == nil || len(p) == 0 || len(p) > Small || in.streak.Announce(in.waited) {
		in.waited = true
		return s.conn.Read(p)
	}
	in.p, in.n, in.err, in.waited = p, 0, nil, false // what the last call left: a closed socket makes no attempt
	err := NameOp("read", s.raw.Read(in.attempt))
	in.p = nil
	switch {
	case err == nil && in.err != nil:
		return 0, s.failed("read", in.err)
	case err == nil && in.n == 0:
		return 0, io.EOF
	}
	return in.n, err
}

func (in *reading) try(fd uintptr) bool {
	in.n, in.err = call(false, unix.SYS_RECVFROM, fd, unsafe.Pointer(&in.p[0]), len(in.p), 0)
	if in.err == unix.EAGAIN {
		in.waited, in.n = true, 0
		return false
	}
	return true
}

// Write is [net.Conn.Write].
func (s *Socket) Write(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 || len(p) > Small {
		return s.conn.Write(p)
	}
	out := &s.out
	out.rest, out.err = p, nil
	err := NameOp("write", s.raw.Write(out.attempt))
	n := len(p) - len(out.rest)
	out.rest = nil
	if err == nil && out.err != nil {
		err = s.failed("write", out.err)
	}
	return n, err
}

func (out *writing) try(fd uintptr) bool {
	for len(out.rest) > 0 {
		n, err := call(false, unix.SYS_SENDTO, fd, unsafe.Pointer(&out.rest[0]), len(out.rest), unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN {
			return false
		}
		if out.err = err; err != nil {
			return true
		}
		out.rest = out.rest[n:]
	}
	return true
}

// WriteBuffers writes all pieces, as [net.Buffers.WriteTo] does.
func (s *Socket) WriteBuffers(pieces net.Buffers) (int64, error) {
	if len(pieces) != 1 {
		return pieces.WriteTo(s.conn)
	}
	n, err := s.Write(pieces[0])
	pieces[0] = nil
	return int64(n), err
}

// NameOp gives an error of a [syscall.RawConn] the name of the operation, as package net has it: "read", where
// the RawConn says "raw-read".
func NameOp(op string, err error) error {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		failed.Op = op
	}
	return err
}

// failed is the error of a read or write as package net would return it.
func (s *Socket) failed(op string, err error) error {
	here, there := s.conn.LocalAddr(), s.conn.RemoteAddr()
	return &net.OpError{Op: op, Net: here.Network(), Source: here, Addr: there, Err: os.NewSyscallError(op, err)}
}
