package openssh

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A pipe is large while much data goes through it. Only a few are: if all pipes of a user who is
// not root have more than 64 MiB, the kernel makes new ones small (pipe(7)).
const (
	smallPipe     = 64 << 10 // the kernel's default
	largePipe     = 1 << 20
	largePipesMax = 16
)

// largePipes is the number of large pipes.
var largePipes atomic.Int32

// pipeEnd is our end of a pipe. It is for one goroutine, except for Close.
type pipeEnd struct {
	*os.File
	large atomic.Bool
}

// grow makes the pipe large if it may. A failure only costs time.
func (p *pipeEnd) grow() {
	if p.large.Load() {
		return
	}
	p.large.Store(true)
	if largePipes.Add(1) > largePipesMax || !p.resize(largePipe) {
		p.release()
	}
}

// shrink undoes grow. A pipe that contains more than a small one can stays large for now.
func (p *pipeEnd) shrink() {
	if p.large.Load() && p.resize(smallPipe) {
		p.release()
	}
}

// release records that the pipe is not large any more.
func (p *pipeEnd) release() {
	if p.large.Swap(false) {
		largePipes.Add(-1)
	}
}

func (p *pipeEnd) resize(size int) bool {
	raw, err := p.SyscallConn()
	if err != nil {
		return false
	}
	failed := raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
	return failed == nil && err == nil
}

func (p *pipeEnd) Close() error {
	err := p.File.Close()
	p.release()
	return err
}

func (p *pipeEnd) Read(b []byte) (int, error) {
	p.shrink()
	return p.File.Read(b)
}

func (p *pipeEnd) Write(b []byte) (int, error) {
	p.shrink()
	return p.File.Write(b)
}
