package sockets

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Error says which forward cannot listen, and why:
// "LocalForward 5432: address already in use (held by postgres, pid 812)".
type Error struct {
	Forward tunnelfile.Forward
	Address Address
	Owner   Owner // who listens there; the zero Owner if nobody does, or it is not known
	Err     error
}

// Explain makes an *Error of the error from listening at an address of a forward, and finds out who
// has the address. It leaves out what package net adds to an error of the kernel.
func Explain(f tunnelfile.Forward, a Address, err error) *Error {
	err = bare(err)
	e := &Error{Forward: f, Address: a, Err: err}
	if err == syscall.EADDRINUSE {
		e.Owner = a.Owner()
	}
	return e
}

// bare returns the kernel's error inside an error of package net or os.
func bare(err error) error {
	switch err.(type) {
	case *net.OpError, *fs.PathError:
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			return errno
		}
	}
	return err
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Forward.Kind, e.Forward.Listen, e.Why())
}

// Why is the error without the forward's name.
func (e *Error) Why() string {
	s := e.Err.Error()
	if e.Owner != (Owner{}) {
		s += " (held by " + e.Owner.String() + ")"
	}
	if e.Privileged() {
		s += fmt.Sprintf(": ports below %d are for root; take a higher port or a unix socket, name it in a tunnel file of the system (--system), or set net.ipv4.ip_unprivileged_port_start=%d",
			firstUnprivileged(), e.Forward.Listen.Port)
	}
	return s
}

// Privileged says whether the forward has a port that only root may listen on.
func (e *Error) Privileged() bool {
	port := e.Forward.Listen.Port
	return errors.Is(e.Err, syscall.EACCES) && e.Address.Network != "unix" && port > 0 && port < firstUnprivileged()
}

// Reason is fault.Listen.
func (e *Error) Reason() fault.Reason { return fault.Listen }

func (e *Error) Unwrap() error { return e.Err }

// firstUnprivileged is the lowest port that everybody may listen on.
func firstUnprivileged() int {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		return n
	}
	return 1024
}
