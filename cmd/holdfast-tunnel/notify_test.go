package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/testbed"
)

// notifySocket is the service manager's side of sd_notify(3).
type notifySocket struct {
	path string
	conn *net.UnixConn

	mu    sync.Mutex
	lines []string // in order
	fds   []int    // that came along
}

func newNotifySocket(t testing.TB) *notifySocket {
	t.Helper()
	n := &notifySocket{path: filepath.Join(testbed.SocketDir(t), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	n.conn = conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf, oob := make([]byte, 8192), make([]byte, 1024)
		for {
			size, rights, _, _, err := conn.ReadMsgUnix(buf, oob)
			if err != nil {
				return
			}
			var fds []int
			if messages, err := unix.ParseSocketControlMessage(oob[:rights]); err == nil {
				for _, m := range messages {
					if got, err := unix.ParseUnixRights(&m); err == nil {
						fds = append(fds, got...)
					}
				}
			}
			n.mu.Lock()
			n.lines = append(n.lines, strings.Split(string(buf[:size]), "\n")...)
			n.fds = append(n.fds, fds...)
			if slices.Contains(n.lines, "FDSTOREREMOVE=1") {
				n.forget()
			}
			n.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
		n.forget()
	})
	return n
}

// forget closes what was stored. n.mu is held, or nobody else is there.
func (n *notifySocket) forget() {
	for _, fd := range n.fds {
		unix.Close(fd)
	}
	n.fds = nil
}

// said is all assignments that begin with prefix.
func (n *notifySocket) said(prefix string) (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		if strings.HasPrefix(l, prefix) {
			lines = append(lines, l)
		}
	}
	return lines
}

// until waits for a number of assignments that begin with prefix.
func (n *notifySocket) until(t testing.TB, prefix string, number int) []string {
	t.Helper()
	testbed.WaitFor(t, 20*time.Second, func() error {
		if got := n.said(prefix); len(got) < number {
			n.mu.Lock()
			defer n.mu.Unlock()
			return errors.New("told: " + strings.Join(n.lines, " | "))
		}
		return nil
	})
	return n.said(prefix)
}

// storedListener is the file descriptor that came with FDSTORE=1, as a listener.
func (n *notifySocket) storedListener(t testing.TB) net.Listener {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.fds) != 1 {
		t.Fatalf("%d file descriptors were stored, want 1", len(n.fds))
	}
	fd, err := unix.Dup(n.fds[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "stored")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
