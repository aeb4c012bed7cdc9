package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/testbed"
)

// With NoDelay= sshd sends small packets at once, and without it as ever. A server that runs no
// command is as good as before.
func TestNoDelay(t *testing.T) {
	for _, transport := range []string{"native", "openssh"} {
		for _, c := range []struct {
			noDelay, sshd string
			want          int
		}{{"no", "MaxSessions 10", 0}, {"yes", "MaxSessions 10", 1}, {"yes", "MaxSessions 0", 0}, {"yes", "ForceCommand false", 1}} {
			if transport == "openssh" && c.sshd != "MaxSessions 10" {
				continue // ssh asks for a session of its own
			}
			t.Run(transport+" "+c.noDelay+" "+c.sshd, func(t *testing.T) {
				s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{c.sshd}})
				addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
				p := newProgram(t, fileFor(s, line, "Transport="+transport, "NoDelay="+c.noDelay))
				p.Start()
				p.UntilPooled(1)
				testbed.WaitFor(t, 10*time.Second, func() error {
					switch got, err := noDelay(s); {
					case errors.Is(err, unix.EPERM):
						t.Skip("looking at sshd's sockets takes root")
						return nil
					case err != nil:
						return err
					case got != c.want:
						return fmt.Errorf("TCP_NODELAY is %d at the server, want %d", got, c.want)
					}
					return nil
				})
				if err := testbed.EchoAt(addr, 1000, 10*time.Second); err != nil {
					t.Error(err)
				}
				if r, err := p.Report(); err != nil || strings.Contains(r.Status, "command") {
					t.Errorf("%q, %v", r.Status, err)
				}
			})
		}
	}
}

// noDelay is TCP_NODELAY of the server's end of its one connection.
func noDelay(s *testbed.Server) (int, error) {
	for _, pid := range s.SessionPIDs() {
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		defer unix.Close(pidfd)
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, file := range files {
			if to, _ := os.Readlink(file); !strings.HasPrefix(to, "socket:") {
				continue
			}
			n, _ := strconv.Atoi(filepath.Base(file))
			fd, err := unix.PidfdGetfd(pidfd, n, 0)
			if err != nil {
				return 0, err
			}
			defer unix.Close(fd)
			if a, err := unix.Getsockname(fd); err == nil {
				if a, ok := a.(*unix.SockaddrInet4); ok && a.Port == s.Port {
					return unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
				}
			}
		}
	}
	return 0, errors.New("no session")
}
