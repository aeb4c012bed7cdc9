package manager

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// listenError says which forward cannot listen, and why. systemd itself says no more
// over D-Bus than that the socket unit failed.
type listenError struct {
	listener listener
	err      error
	holder   string // who listens there, for people; empty: not known
}

func (e *listenError) Error() string {
	text := fmt.Sprintf("%s %s: %v", e.listener.forward.Kind, e.listener.forward.Listen, e.err)
	if e.holder != "" {
		text += " (by " + e.holder + ")"
	}
	return text
}

func (e *listenError) Unwrap() error { return e.err }

// tryListen binds and lets go of each address, and says what is wrong with the first
// that cannot be had.
//
// It is for finding a reason, not for asking before: a process that is being started
// just then holds copies of our sockets for a moment, and the port would seem taken.
func tryListen(ctx context.Context, ls []listener, unlink bool) error {
	for _, l := range ls {
		if l.network == "unix" {
			continue
		}
		if err := tryTCP(ctx, l.network, l.address); err != nil {
			e := &listenError{listener: l, err: err}
			if errors.Is(err, syscall.EADDRINUSE) {
				e.holder = holderOf(l.address)
			}
			return e
		}
	}
	if err := tryPaths(ctx, ls, unlink); err != nil {
		return err
	}
	for _, l := range ls {
		if l.network != "unix" {
			continue
		}
		if err := tryFolder(filepath.Dir(l.address)); err != nil {
			return &listenError{listener: l, err: err}
		}
	}
	return nil
}

// tryPaths says which unix socket cannot be made. It keeps systemd from unlinking what
// it should not: a socket unit removes whatever lies at its path, be it alive.
func tryPaths(ctx context.Context, ls []listener, unlink bool) error {
	for _, l := range ls {
		if l.network != "unix" {
			continue
		}
		if err := tryUnix(ctx, l.address, unlink); err != nil {
			return &listenError{listener: l, err: err}
		}
	}
	return nil
}

func tryTCP(ctx context.Context, network, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return bare(err)
	}
	return l.Close()
}

func tryUnix(ctx context.Context, path string, unlink bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return bare(err)
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("a file that is not a socket is in the way")
	case !unlink:
		return syscall.EADDRINUSE
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)) {
		return nil // stale: systemd takes it away
	}
	if err == nil {
		_ = conn.Close()
	}
	return syscall.EADDRINUSE
}

// tryFolder says why no socket can be made in a folder. One that is not there systemd makes
// in the nearest one above.
func tryFolder(dir string) error {
	for {
		_, err := os.Stat(dir)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return bare(err)
		}
		dir = filepath.Dir(dir)
	}
	const writeAndSearch = 0o3
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		return fmt.Errorf("nothing can be made in %s: %w", dir, err)
	}
	return nil
}

// bare strips what net and os add to an error of the kernel: the forward that it is
// about is named already.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// holderOf is the process that listens on a TCP port, "postgres, pid 123", as far as
// this user may see it.
func holderOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	inodes := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, inode := range inodesOf(table, uint16(n)) {
			inodes["socket:["+inode+"]"] = true
		}
	}
	if len(inodes) == 0 {
		return ""
	}
	for _, pid := range names("/proc") {
		if pid[0] < '1' || pid[0] > '9' {
			continue
		}
		for _, fd := range names("/proc/" + pid + "/fd") {
			target, err := os.Readlink("/proc/" + pid + "/fd/" + fd)
			if err != nil || !inodes[target] {
				continue
			}
			if name, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil {
				return strings.TrimSpace(string(name)) + ", pid " + pid
			}
		}
	}
	return ""
}

// names is what a folder holds, as far as it may be read.
func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	return list
}

// inodesOf is the inodes of sockets that listen on a port, from /proc/net/tcp, see proc(5).
func inodesOf(table string, port uint16) []string {
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	var inodes []string
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && fields[3] == "0A" {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}
